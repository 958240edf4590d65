// The model that a run starts from: random weights of a shape's file, or the weights of a Hugging
// Face folder or a GGUF file.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>

#include "experiment/experiment.h"
#include "model/llama.h"

namespace straq::experiment {

// The shape that `config` names, with every default and the tokenizer's number of tokens (`vocab`)
// where the shape's file leaves it open. Throws Error(input) naming the file, also where the shape
// is too small for the tokenizer or for prompt.window.
model::LlamaShape resolved_shape(const ExperimentConfig& config, std::int64_t vocab);

// SHA-256 over the files that hold the weights of model.from, in their order; remembered as long as
// their sizes and times stay. Throws what model::open_model does.
std::string weights_sha256(const std::string& path);

// What of a model of `shape` the config trains. Throws Error(input) as TrainedPart::check.
model::TrainedPart trained_part(const ExperimentConfig& config, const model::LlamaShape& shape);

struct InitialModel {
  std::unique_ptr<model::Llama> network;
  // fp32 numbers that its trained parameters were rounded from; undefined: none were.
  at::Tensor master;
};
// `training`: the weights' full precision matters, gradients are needed, and trained_part() alone
// is trained.
InitialModel make_model(const ExperimentConfig& config, std::int64_t vocab, at::Device device,
                        bool training);

}  // namespace straq::experiment
