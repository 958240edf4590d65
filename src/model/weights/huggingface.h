// Llama checkpoints in Hugging Face's folder layout: config.json with model.safetensors, or several
// files and an index. What this decoder does not compute exactly as the checkpoint means it is
// refused by name: a planner trained on silently different weights would look like a result.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/llama.h"
#include "model/weights/weights_io.h"

namespace straq::model {

// What a config.json says. Reads transformers 4's keys (rope_theta, rope_scaling, torch_dtype) and
// transformers 5's (rope_parameters, dtype). Throws Error(input) naming file and key for a missing
// key, an architecture or an option that is not supported (attention_bias, mlp_bias, another
// activation, rope type or quantisation), or old and new keys that contradict each other.
struct HuggingFaceConfig {
  LlamaShape shape;
  std::optional<at::ScalarType> dtype;  // the precision that the checkpoint was saved in
  std::optional<std::int64_t> bos_token_id;
  std::vector<std::int64_t> eos_token_ids;
};
HuggingFaceConfig read_huggingface_config(const std::string& folder);

// The weights of a folder, checked but not read. Throws Error(input) naming file and tensor when
// one is missing, superfluous, of another shape or no floating-point numbers. A checkpoint whose
// embeddings are tied may lack lm_head.weight; where it has one, it must equal the embedding.
WeightsSource open_huggingface(const std::string& folder);

// The model of a folder in `dtype` on `device`. Throws as open_huggingface does.
Llama load_huggingface(const std::string& folder, at::ScalarType dtype, at::Device device,
                       bool with_gradients = false);

struct SaveOptions {
  std::optional<at::ScalarType> dtype;  // of the files; without: the source's
  // Files of at most so many bytes of values (a single tensor may be larger), with an index, when
  // all together are more. 0: one file.
  std::uint64_t max_file_bytes = 0;
  std::map<std::string, std::string> metadata;  // into the header of the weight files
};

// Writes config.json, with the keys of transformers 4 and 5, and model.safetensors or, where
// max_file_bytes asks for it, model-00001-of-0000N.safetensors and their index. Weight files that
// an earlier model left in the folder are removed. Every file appears whole or not at all,
// config.json last; when something fails, new files are removed again. Throws Error(failure) when
// the disk refuses them.
void write_huggingface(const WeightsSource& source, const std::string& folder,
                       const SaveOptions& options = {});

// The same from a model in memory, by default in its own precision.
void save_huggingface(const Llama& model, const std::string& folder,
                      const SaveOptions& options = {});

}  // namespace straq::model
