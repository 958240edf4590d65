// Llama checkpoints in Hugging Face's folder layout: config.json with model.safetensors, or several
// files and an index. What this decoder does not compute exactly as the checkpoint means it is
// refused by name: a planner trained on silently different weights would look like a result.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "model/llama.h"

namespace straq::model {

// What a config.json says. Reads transformers 4's keys (rope_theta, rope_scaling, torch_dtype) and
// transformers 5's (rope_parameters, dtype). Throws Error(input) naming file and key for a missing
// key, an architecture or an option that is not supported (attention_bias, mlp_bias, another
// activation, rope type or quantisation), or old and new keys that contradict each other.
struct HuggingFaceConfig {
  LlamaShape shape;
  std::optional<at::ScalarType> dtype;  // the precision that the checkpoint was saved in
  std::optional<std::int64_t> bos_token_id, eos_token_id;  // the first, where there are several
};
HuggingFaceConfig read_huggingface_config(const std::string& folder);

// The model of a folder in `dtype` on `device`. Throws Error(input) naming file and tensor when one
// is missing, superfluous or of another shape. A checkpoint whose embeddings are tied may lack
// lm_head.weight; where it has one, it must equal the embedding.
Llama load_huggingface(const std::string& folder, at::ScalarType dtype, at::Device device,
                       bool with_gradients = false);

struct SaveOptions {
  std::optional<std::int64_t> bos_token_id, eos_token_id;
  std::map<std::string, std::string> metadata;  // into the header of model.safetensors
};

// Writes config.json, with the keys of transformers 4 and 5, and model.safetensors in the model's
// precision. Both appear whole or not at all. Throws Error(failure) when the disk refuses them.
void save_huggingface(const Llama& model, const std::string& folder,
                      const SaveOptions& options = {});

}  // namespace straq::model
