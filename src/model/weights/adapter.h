// LoRA adapters (Hu et al. 2021) as PEFT keeps them: a folder with adapter_config.json and
// adapter_model.safetensors. A weight W becomes W + s B A with B [outputs, rank], A [rank, inputs]
// and s = alpha / rank, or alpha / sqrt(rank) where the adapter says rslora (Kalajdzievski 2023).
#pragma once

#include <string>

#include "model/weights/weights_io.h"

namespace straq::model {

// The source's weights with the adapter's products added, in fp32, tensor by tensor. Throws
// Error(input) naming file and key or tensor: no adapter there, a kind that changes more than these
// products (DoRA, trained biases, whole modules, other ranks for some layers), targets that a Llama
// does not have, a tensor without its partner or of another shape than the model's.
WeightsSource with_adapter(WeightsSource base, const std::string& folder);

// The adapter that `model` trains (Llama::part), as PEFT writes it; `base` is what its config calls
// the model that it belongs to (may be empty). Throws std::logic_error for a model without one and
// Error(failure) where the folder cannot be written.
void write_adapter(const Llama& model, const std::string& folder, const std::string& base = {});

}  // namespace straq::model
