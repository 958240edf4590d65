// What people name, or have fetched, in place of a model's weights: another format, a part of a
// model, a folder above or below it, a file that was not downloaded. Each is refused by what it is,
// with the way from there to weights that can be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace straq::model {

struct NearMiss {
  std::string what;  // "it is an ONNX graph"
  std::string hint;
};

// What a file is that was given for weights, by its first bytes: empty, a pointer, another format.
// Nothing for one that they do not tell, or that cannot be read. Reads at most 512 bytes.
std::optional<NearMiss> foreign_content(const std::string& path);

// Throws Error(input) "<path>: <what>" for a file that foreign_content knows.
void refuse_foreign_content(const std::string& path);

// The same for a file named where weights of any kind are wanted: what its name says counts too.
void refuse_foreign_weights(const std::string& path);

// Throws Error(input): what a folder is that has no config.json.
[[noreturn]] void refuse_folder_without_config(const std::string& folder);

// Throws Error(input): what a folder holds that has a config.json, but no safetensors.
[[noreturn]] void refuse_folder_without_weights(const std::string& folder);

// In what a model of another model_type ("qwen2") or architecture ("Qwen2ForCausalLM") differs from
// Llama, as far as it is known here; empty: not known.
std::string difference_from_llama(std::string_view type);

}  // namespace straq::model
