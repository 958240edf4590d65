// What model.from names: a Hugging Face folder, or a GGUF file.
#pragma once

#include <optional>
#include <string>

#include "model/llama.h"
#include "model/weights/weights_io.h"

namespace straq::model {

// What a model says about itself before its weights are looked at.
struct ModelHead {
  LlamaShape shape;
  std::optional<at::ScalarType> dtype;  // the precision that it was saved in
};
// Throws what read_huggingface_config or read_gguf_shape does.
ModelHead read_model_head(const std::string& path);

// The weights, checked but not read. Throws what open_huggingface or open_gguf does.
WeightsSource open_model(const std::string& path);

}  // namespace straq::model
