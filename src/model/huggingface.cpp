#include "model/huggingface.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "model/safetensors.h"

namespace straq::model {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::string& path) {
  Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    fail_input(path + ": no JSON object", "the file is damaged; copy or download it again");
  }
  return json;
}

// A JSON object of a config with typed access that names file and key.
class Keys {
 public:
  Keys(const Json& json, std::string file, std::string prefix = {})
      : json_(json), file_(std::move(file)), prefix_(std::move(prefix)) {}

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& raw(const char* key) const { return json_[key]; }
  Keys inner(const char* key) const {
    if (!json_[key].is_object()) fail(key, "must be an object");
    return {json_[key], file_, prefix_ + key + "."};
  }
  std::int64_t integer(const char* key, std::optional<std::int64_t> fallback = {}) const {
    if (!has(key) && fallback) return *fallback;
    if (!has(key)) fail(key, "is missing");
    if (!json_[key].is_number_integer() || json_[key].get<std::int64_t>() < 1) {
      fail(key, "must be a positive integer");
    }
    return json_[key].get<std::int64_t>();
  }
  double number(const char* key, std::optional<double> fallback = {}) const {
    if (!has(key) && fallback) return *fallback;
    if (!has(key)) fail(key, "is missing");
    if (!json_[key].is_number() || json_[key].get<double>() <= 0) {
      fail(key, "must be a positive number");
    }
    return json_[key].get<double>();
  }
  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_boolean()) fail(key, "must be true or false");
    return json_[key].get<bool>();
  }
  std::string text(const char* key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_string()) fail(key, "must be a string");
    return json_[key].get<std::string>();
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    fail_input(file_ + ": " + prefix_ + key + " " + what,
               "compare with the config.json that the model was published with");
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& value) const {
    fail_input(file_ + ": " + prefix_ + key + " " + value + " is not supported",
               "use a checkpoint of the plain Llama architecture (Llama 2, Llama 3.x, TinyLlama)");
  }

 private:
  const Json& json_;
  std::string file_, prefix_;
};

void refuse_unsupported(const Keys& keys) {
  const auto type = keys.text("model_type", "llama");
  if (type != "llama") keys.refuse("model_type", type);
  if (keys.has("architectures")) {
    const Json& names = keys.raw("architectures");
    if (!names.is_array()) keys.fail("architectures", "must be a list");
    for (const auto& name : names) {
      if (name != "LlamaForCausalLM") keys.refuse("architectures", name.dump());
    }
  }
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (keys.flag(key, false)) keys.refuse(key, "true");
  }
  const auto activation = keys.text("hidden_act", "silu");
  if (activation != "silu") keys.refuse("hidden_act", activation);
  if (keys.number("partial_rotary_factor", 1.0) != 1.0) {
    keys.refuse("partial_rotary_factor", keys.raw("partial_rotary_factor").dump());
  }
  if (keys.has("quantization_config")) keys.refuse("quantization_config", "(quantised weights)");
}

// `keys`: rope_scaling of version 4 or rope_parameters of version 5.
std::optional<Llama3RopeScaling> read_scaling(const Keys& keys) {
  const auto type = keys.text("rope_type", keys.text("type", "default"));
  if (type == "default") return {};
  if (type != "llama3") keys.refuse("rope_type", type);
  Llama3RopeScaling s;
  s.factor = keys.number("factor");
  s.low_freq_factor = keys.number("low_freq_factor");
  s.high_freq_factor = keys.number("high_freq_factor");
  s.original_max_positions = keys.integer("original_max_position_embeddings");
  return s;
}

bool same(const std::optional<Llama3RopeScaling>& a, const std::optional<Llama3RopeScaling>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->factor == b->factor && a->low_freq_factor == b->low_freq_factor &&
         a->high_freq_factor == b->high_freq_factor &&
         a->original_max_positions == b->original_max_positions;
}

void read_rope(const Keys& keys, LlamaShape& shape) {
  const bool v4_scaling = keys.has("rope_scaling"), v5 = keys.has("rope_parameters");
  if (v4_scaling) shape.rope_scaling = read_scaling(keys.inner("rope_scaling"));
  shape.rope_theta = keys.number("rope_theta", 10000.0);
  if (!v5) return;
  const Keys rope = keys.inner("rope_parameters");
  const auto scaling = read_scaling(rope);
  const double theta = rope.number("rope_theta", shape.rope_theta);
  // Taking one of two that differ would change every attention score without a word.
  if (keys.has("rope_theta") && theta != shape.rope_theta) {
    keys.fail("rope_theta", "contradicts rope_parameters.rope_theta");
  }
  if (v4_scaling && !same(scaling, shape.rope_scaling)) {
    keys.fail("rope_scaling", "contradicts rope_parameters");
  }
  shape.rope_theta = theta;
  shape.rope_scaling = scaling;
}

std::vector<std::int64_t> token_ids(const Keys& keys, const char* key) {
  if (!keys.has(key)) return {};
  const Json& value = keys.raw(key);
  std::vector<std::int64_t> ids;
  for (const auto& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer()) keys.fail(key, "must be a token id or a list of them");
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

std::optional<at::ScalarType> read_dtype(const Keys& keys) {
  const auto name = keys.text("dtype", keys.text("torch_dtype", ""));
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  if (name == "float64") return at::kDouble;
  return {};
}

// The weight files of a folder, by what the index or the plain name says.
std::vector<std::string> weight_files(const std::string& folder) {
  const auto single = fs::path(folder) / "model.safetensors";
  if (fs::exists(single)) return {single.string()};
  const auto index = fs::path(folder) / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    fail_input(folder + ": has neither model.safetensors nor model.safetensors.index.json",
               "convert older .bin checkpoints to safetensors first");
  }
  const Json json = read_json(index.string());
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) {
    fail_input(index.string() + ": has no weight_map", "copy or download the file again");
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : std::string();
    // Only names inside the folder: an index must not make us open other files.
    if (name.empty() || fs::path(name).filename() != name) {
      fail_input(index.string() + ": " + tensor + " names no file of the folder",
                 "copy or download the index again");
    }
    names.insert((fs::path(folder) / name).string());
  }
  return {names.begin(), names.end()};
}

// Old checkpoints carry this buffer; it follows from rope_theta.
bool is_ignored(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq");
}

}  // namespace

HuggingFaceConfig read_huggingface_config(const std::string& folder) {
  const std::string file = (fs::path(folder) / "config.json").string();
  const Json json = read_json(file);
  const Keys keys(json, file);
  refuse_unsupported(keys);
  HuggingFaceConfig config;
  LlamaShape& s = config.shape;
  s.vocab = keys.integer("vocab_size");
  s.hidden = keys.integer("hidden_size");
  s.inner = keys.integer("intermediate_size");
  s.layers = keys.integer("num_hidden_layers");
  s.heads = keys.integer("num_attention_heads");
  // Absent keys have the defaults of transformers' LlamaConfig.
  s.kv_heads = keys.integer("num_key_value_heads", s.heads);
  s.head_dim = keys.integer("head_dim", 0);
  s.max_positions = keys.integer("max_position_embeddings", 2048);
  s.norm_eps = keys.number("rms_norm_eps", 1e-6);
  s.tied = keys.flag("tie_word_embeddings", false);
  read_rope(keys, s);
  try {
    s.check();
  } catch (const Error& e) {
    fail_input(file + ": " + e.what(), e.hint());
  }
  config.dtype = read_dtype(keys);
  if (const auto bos = token_ids(keys, "bos_token_id"); !bos.empty()) {
    config.bos_token_id = bos.front();
  }
  config.eos_token_ids = token_ids(keys, "eos_token_id");
  return config;
}

WeightsSource open_huggingface(const std::string& folder) {
  const HuggingFaceConfig config = read_huggingface_config(folder);
  // Shared by the source's copies, which may outlive this call.
  struct Opened {
    std::vector<SafetensorsFile> files;
    std::unordered_map<std::string, const SafetensorsFile*> where;
  };
  const auto opened = std::make_shared<Opened>();
  auto& where = opened->where;
  WeightsSource source;
  source.path = folder;
  source.shape = config.shape;
  source.bos_token_id = config.bos_token_id;
  source.eos_token_ids = config.eos_token_ids;
  source.files = weight_files(folder);
  for (const auto& path : source.files) opened->files.emplace_back(path);
  for (const auto& file : opened->files) {
    source.bytes += fs::file_size(file.path());
    source.metadata.insert(file.metadata().begin(), file.metadata().end());
    for (const auto& entry : file.entries()) {
      if (is_ignored(entry.name)) continue;
      if (!where.emplace(entry.name, &file).second) {
        fail_input(
            file.path() + ": tensor " + entry.name + " is also in " + where[entry.name]->path(),
            "remove the file that does not belong to the checkpoint");
      }
    }
  }

  std::optional<at::ScalarType> widest;
  const auto specs = parameter_specs(config.shape);
  for (const auto& spec : specs) {
    const auto it = where.find(spec.name);
    if (it == where.end()) {
      fail_input(folder + ": tensor " + spec.name + " is missing",
                 spec.name == "lm_head.weight"
                     ? "if the output projection is the embedding, config.json must say "
                       "tie_word_embeddings: true"
                     : "the checkpoint is incomplete, or config.json belongs to another one");
    }
    const auto& entry = *it->second->find(spec.name);
    if (entry.shape != spec.shape) {
      fail_input(it->second->path() + ": tensor " + spec.name + " has shape " +
                     shape_words(entry.shape) + " where config.json asks for " +
                     shape_words(spec.shape),
                 "weights and config.json must come from the same checkpoint");
    }
    if (!at::isFloatingType(entry.dtype)) {
      fail_input(it->second->path() + ": tensor " + spec.name + " holds whole numbers (" +
                     at::toString(entry.dtype) + ")",
                 "quantised weights are not supported; use the original checkpoint");
    }
    widest = widest ? at::promote_types(*widest, entry.dtype) : entry.dtype;
  }
  source.dtype = *widest;
  // A tied checkpoint may store the shared matrix twice; it must then be the same one.
  auto head = where.find("lm_head.weight");
  if (config.shape.tied && head != where.end()) {
    const at::Tensor embedding = where["model.embed_tokens.weight"]->tensor(specs[0].name);
    const at::Tensor twice = head->second->tensor("lm_head.weight").to(embedding.scalar_type());
    if (!at::equal(twice, embedding)) {
      fail_input(head->second->path() +
                     ": tensor lm_head.weight differs from the embedding, but "
                     "config.json says tie_word_embeddings: true",
                 "set tie_word_embeddings to false");
    }
  }
  std::set<std::string> extra;
  for (const auto& [name, file] : where) extra.insert(name);
  for (const auto& spec : specs) extra.erase(spec.name);
  if (config.shape.tied) extra.erase("lm_head.weight");
  if (!extra.empty()) {
    const std::string& first = *extra.begin();
    fail_input(where[first]->path() + ": tensor " + first + " is not part of a Llama model" +
                   (extra.size() > 1 ? " (nor are " + std::to_string(extra.size() - 1) + " others)"
                                     : std::string()),
               "the checkpoint has parts that would be ignored (adapters, biases, more layers than "
               "config.json says); merge or remove them first");
  }
  source.tensor = [opened](const ParameterSpec& spec) {
    return opened->where.at(spec.name)->tensor(spec.name);
  };
  return source;
}

Llama load_huggingface(const std::string& folder, at::ScalarType dtype, at::Device device,
                       bool with_gradients) {
  return load_weights(open_huggingface(folder), dtype, device, with_gradients);
}

}  // namespace straq::model
