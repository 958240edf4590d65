// What `straq model` does: opens weights of any known form, writes them as a Hugging Face folder
// with what belongs beside them, and says what a checkpoint is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "model/weights/weights_io.h"

namespace straq::model {

// The folder or file that holds the weights: `path` itself, or the `planner` folder of a run.
// Throws Error(input) when there is none.
std::string find_weights(const std::string& path);

// Opens a Hugging Face folder, a run folder, a GGUF file (by its first bytes) or a llama2.c
// checkpoint (.bin). Throws Error(input)
// naming what was expected.
WeightsSource open_weights(const std::string& path);

struct ConvertOptions {
  std::optional<at::ScalarType> dtype;  // without: as stored
  std::uint64_t max_file_bytes = 0;     // as in SaveOptions
  std::string tokenizer;  // a tokenizer to put beside the weights; empty: the source's own, if any
  std::string adapter;    // the folder of a LoRA adapter to merge; empty: none
  bool overwrite = false;
};

// Reads the weights of `from` (as open_weights does) and writes them to the folder `to`, tensor by
// tensor, with the tokenizer's files, generation_config.json and planner.json where the source has
// them; of a GGUF file's tokenizer the files that it amounts to. Throws Error(input) when a value
// is not finite or does not fit the precision, when the tokenizer has more tokens than the model or
// is not the one that planner.json names, or when `to` holds a model already and overwrite is not
// set. Returns what a caller may print.
std::vector<Table> convert_weights(const std::string& from, const std::string& to,
                                   const ConvertOptions& options);

struct InitialiseOptions {
  std::uint64_t seed = 1;
  double std = 0.02;
  std::int64_t vocab = 0;  // 0: the shape's, or the tokenizer's
  at::ScalarType dtype = at::kFloat;
  std::string tokenizer;
  bool overwrite = false;
};

// Writes random weights (Llama::initialise) in the shape of a YAML file. The same shape, seed, std
// and precision give the same bytes. Throws Error(input) when nothing says the vocabulary's size or
// the tokenizer does not fit it.
std::vector<Table> initialise_weights(const std::string& shape_file, const std::string& to,
                                      const InitialiseOptions& options);

// What weights are: shape, parameters, precision, files, metadata, and their tensors, one row each
// or, without `all_tensors`, one row for the same tensor of all layers. `path` as for open_weights,
// or any .safetensors file. Throws Error(input) for damaged files and unsupported variants.
std::vector<Table> inspect_weights(const std::string& path, bool all_tensors);

// "2GB", "500MB", "64KiB", "1000": bytes, at least 1. Throws Error(input).
std::uint64_t parse_bytes(const std::string& text);

}  // namespace straq::model
