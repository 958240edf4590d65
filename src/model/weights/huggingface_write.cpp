// The writing half of huggingface.h.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <unordered_map>

#include "core/files/files.h"
#include "model/weights/huggingface.h"
#include "model/weights/safetensors.h"

namespace straq::model {
namespace fs = std::filesystem;
namespace {

using OrderedJson = nlohmann::ordered_json;

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "float64";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    default:
      return "float32";
  }
}

OrderedJson config_json(const WeightsSource& source, at::ScalarType dtype) {
  const LlamaShape& s = source.shape;
  OrderedJson scaling = nullptr;
  OrderedJson rope = {{"rope_type", "default"}};
  if (s.rope_scaling) {
    scaling = {{"rope_type", "llama3"},
               {"factor", s.rope_scaling->factor},
               {"low_freq_factor", s.rope_scaling->low_freq_factor},
               {"high_freq_factor", s.rope_scaling->high_freq_factor},
               {"original_max_position_embeddings", s.rope_scaling->original_max_positions}};
    rope = scaling;
  }
  rope["rope_theta"] = s.rope_theta;
  const auto name = dtype_name(dtype);
  OrderedJson config = {{"architectures", {"LlamaForCausalLM"}},
                        {"model_type", "llama"},
                        {"vocab_size", s.vocab},
                        {"hidden_size", s.hidden},
                        {"intermediate_size", s.inner},
                        {"num_hidden_layers", s.layers},
                        {"num_attention_heads", s.heads},
                        {"num_key_value_heads", s.kv_heads},
                        {"head_dim", s.dim_per_head()},
                        {"max_position_embeddings", s.max_positions},
                        {"hidden_act", "silu"},
                        {"rms_norm_eps", s.norm_eps},
                        {"rope_theta", s.rope_theta},
                        {"rope_scaling", scaling},
                        {"rope_parameters", rope},
                        {"attention_bias", false},
                        {"mlp_bias", false},
                        {"tie_word_embeddings", s.tied},
                        {"torch_dtype", name},
                        {"dtype", name},
                        // transformers would fill in Llama 2's ids where the keys are absent
                        {"bos_token_id", nullptr},
                        {"eos_token_id", nullptr}};
  if (s.state_head) {
    config["straq_state_head"] = {{"outputs", s.state_head->outputs}};
    if (s.state_head->inner > 0) config["straq_state_head"]["inner"] = s.state_head->inner;
    if (s.state_head->bins > 0) {
      config["straq_state_head"]["bins"] = s.state_head->bins;
      config["straq_state_head"]["most"] = s.state_head->most;
    }
  }
  if (source.bos_token_id) config["bos_token_id"] = *source.bos_token_id;
  if (source.eos_token_ids.size() == 1) config["eos_token_id"] = source.eos_token_ids[0];
  if (source.eos_token_ids.size() > 1) config["eos_token_id"] = source.eos_token_ids;
  return config;
}

std::string shard_name(std::size_t i, std::size_t n) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, n);
  return name;
}

// The parameters of each file, in order: a new file begins where the next tensor would make the
// present one larger than `most` bytes.
std::vector<std::vector<SafetensorsEntry>> cut(const LlamaShape& shape, at::ScalarType dtype,
                                               std::uint64_t most) {
  std::vector<std::vector<SafetensorsEntry>> parts(1);
  std::uint64_t used = 0;
  for (const auto& spec : parameter_specs(shape)) {
    std::uint64_t bytes = at::elementSize(dtype);
    for (const auto d : spec.shape) bytes *= static_cast<std::uint64_t>(d);
    if (most > 0 && !parts.back().empty() && used + bytes > most) {
      parts.emplace_back();
      used = 0;
    }
    parts.back().push_back({spec.name, dtype, spec.shape});
    used += bytes;
  }
  return parts;
}

// Removes what was written so far when a later file fails.
class Written {
 public:
  ~Written() {
    std::error_code ignored;
    for (const auto& path : paths_) fs::remove(path, ignored);
  }
  // Only files that are new: one that replaced another can't be taken back.
  void is_new(const std::string& path) {
    if (!fs::exists(path)) paths_.push_back(path);
  }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

void remove_other_weights(const std::string& folder, const std::set<std::string>& keep) {
  static const std::regex ours(
      R"(model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json)");
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (std::regex_match(name, ours) && !keep.contains(name)) stale.push_back(entry.path());
  }
  for (const auto& path : stale) fs::remove(path);
}

}  // namespace

void write_huggingface(const WeightsSource& source, const std::string& folder,
                       const SaveOptions& options) {
  make_folders(folder);
  const auto dtype = options.dtype.value_or(source.dtype);
  std::unordered_map<std::string, ParameterSpec> specs;
  for (const auto& spec : parameter_specs(source.shape)) specs.emplace(spec.name, spec);
  const auto tensor = [&](const std::string& name) { return source.tensor(specs.at(name)); };
  auto metadata = options.metadata;
  metadata.emplace("format", "pt");  // transformers refuses a file without it

  const auto parts = cut(source.shape, dtype, options.max_file_bytes);
  std::set<std::string> names;
  Written written;
  OrderedJson map = OrderedJson::object();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name = parts.size() == 1 ? "model.safetensors" : shard_name(i, parts.size());
    const std::string path = (fs::path(folder) / name).string();
    written.is_new(path);
    write_safetensors(path, parts[i], tensor, metadata);
    names.insert(name);
    for (const auto& entry : parts[i]) {
      map[entry.name] = name;
      std::uint64_t bytes = at::elementSize(dtype);
      for (const auto d : entry.shape) bytes *= static_cast<std::uint64_t>(d);
      total += bytes;
    }
  }
  if (parts.size() > 1) {
    const std::string name = "model.safetensors.index.json";
    const OrderedJson index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
    written.is_new((fs::path(folder) / name).string());
    write_file_atomic((fs::path(folder) / name).string(), index.dump(2) + "\n");
    names.insert(name);
  }
  remove_other_weights(folder, names);
  write_file_atomic((fs::path(folder) / "config.json").string(),
                    config_json(source, dtype).dump(2) + "\n");
  written.keep();
}

void save_huggingface(const Llama& model, const std::string& folder, const SaveOptions& options) {
  write_huggingface(weights_of(model), folder, options);
}

}  // namespace straq::model
