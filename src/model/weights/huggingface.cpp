#include "model/weights/huggingface.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "model/weights/near_miss.h"
#include "model/weights/safetensors.h"
#include "model/weights/shape_limits.h"

namespace straq::model {
namespace fs = std::filesystem;
namespace {

// Not an ordered one: its look-ups take as long as the object has keys, and foreign ones have many.
using Json = nlohmann::json;

Json read_object(const std::string& path) {
  const std::string text = read_file(path);
  if (is_lfs_pointer(text)) fail_input(path + ": " + lfs_pointer_words(text), kLfsHint);
  Json json;
  const std::string reason = try_parse_json(text, json);
  if (!reason.empty() || !json.is_object()) {
    fail_input(path + ": no JSON object" + (reason.empty() ? "" : " (" + reason + ")"),
               "the file is damaged; copy or download it again");
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
  // From 1 to `most`; it is about to be a size.
  std::int64_t integer(const char* key, std::int64_t most,
                       std::optional<std::int64_t> fallback = {}) const {
    if (!has(key) && fallback) return *fallback;
    if (!has(key)) fail(key, "is missing");
    if (const auto n = whole_number(json_[key], 1, most)) return *n;
    fail(key, "is " + shown(key) + ", but must be a positive integer of at most " +
                  std::to_string(most));
  }
  double number(const char* key, std::optional<double> fallback = {}) const {
    if (!has(key) && fallback) return *fallback;
    if (!has(key)) fail(key, "is missing");
    if (!json_[key].is_number() || json_[key].get<double>() <= 0) {
      fail(key, "is " + shown(key) + ", but must be a positive number");
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
  // A value for a message: one of 400 KB would bury it.
  std::string shown(const char* key) const {
    std::string text = dump_json(json_[key]);
    if (text.size() > 60) text = text.substr(0, 60) + " …";
    return text;
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    fail_input(file_ + ": " + prefix_ + key + " " + what,
               "compare with the config.json that the model was published with");
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& value,
                           const std::string& why = {}) const {
    fail_input(file_ + ": " + prefix_ + key + " " + value + " is not supported" +
                   (why.empty() ? "" : ": " + why),
               "use a checkpoint of the plain Llama architecture (Llama 2, Llama 3.x, TinyLlama)");
  }

 private:
  const Json& json_;
  std::string file_, prefix_;
};

std::string in_quotes(const std::string& text) {
  return "\"" + (text.size() > 60 ? text.substr(0, 60) + "…" : text) + "\"";
}

// "gptq, 4 bits", as far as the section says it.
std::string quantisation(const Json& section) {
  std::string words;
  const auto add = [&](const char* key, const std::string& unit) {
    if (!section.is_object() || !section.contains(key)) return;
    const Json& value = section[key];
    if (!value.is_string() && !value.is_number()) return;
    words += (words.empty() ? "" : ", ") +
             (value.is_string() ? value.get<std::string>().substr(0, 60) : dump_json(value)) + unit;
  };
  add("quant_method", "");
  add("bits", " bits");
  return words.empty() ? "" : "; it says " + words;
}

void refuse_unsupported(const Keys& keys) {
  const auto type = keys.text("model_type", "llama");
  if (type != "llama") {
    const auto other = difference_from_llama(type);
    keys.refuse("model_type", in_quotes(type),
                other.empty() ? "it is another architecture" : "unlike Llama's, " + other);
  }
  if (keys.has("architectures")) {
    const Json& names = keys.raw("architectures");
    if (!names.is_array()) keys.fail("architectures", "must be a list");
    for (const auto& name : names) {
      if (name == "LlamaForCausalLM") continue;
      const auto text = name.is_string() ? name.get<std::string>() : dump_json(name);
      const auto other = difference_from_llama(text);
      keys.refuse("architectures", in_quotes(text),
                  other.empty() ? "" : "unlike Llama's, " + other);
    }
  }
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (keys.flag(key, false)) keys.refuse(key, "true");
  }
  const auto activation = keys.text("hidden_act", "silu");
  if (activation != "silu") keys.refuse("hidden_act", in_quotes(activation));
  if (keys.number("partial_rotary_factor", 1.0) != 1.0) {
    keys.refuse("partial_rotary_factor", keys.shown("partial_rotary_factor"));
  }
  // compression_config: compressed-tensors; quantization: MLX.
  for (const char* key : {"quantization_config", "compression_config", "quantization"}) {
    if (!keys.has(key)) continue;
    keys.refuse(key, "(quantised weights)",
                "only fp32, fp16 and bf16 are read" + quantisation(keys.raw(key)));
  }
}

// `keys`: rope_scaling of version 4 or rope_parameters of version 5.
std::optional<Llama3RopeScaling> read_scaling(const Keys& keys) {
  const auto type = keys.text("rope_type", keys.text("type", "default"));
  if (type == "default") return {};
  if (type != "llama3") {
    keys.refuse("rope_type", in_quotes(type), "rotary frequencies are read as default or llama3");
  }
  Llama3RopeScaling s;
  s.factor = keys.number("factor");
  s.low_freq_factor = keys.number("low_freq_factor");
  s.high_freq_factor = keys.number("high_freq_factor");
  s.original_max_positions = keys.integer("original_max_position_embeddings", limits::positions);
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

// A planner's own key, which transformers passes over.
void read_state_head(const Keys& keys, LlamaShape& shape) {
  constexpr const char* key = "straq_state_head";
  if (!keys.has(key)) return;
  const Keys head = keys.inner(key);
  shape.state_head = StateHeadShape{
      head.integer("outputs", limits::hidden), head.integer("inner", limits::inner, 0),
      head.integer("bins", limits::head_bins, 0), head.number("most", 0)};
  if (shape.state_head->bins > 0 && shape.state_head->most <= 0) {
    head.fail("most", "is missing: the greatest value that the head can give");
  }
}

std::vector<std::int64_t> token_ids(const Keys& keys, const char* key) {
  if (!keys.has(key)) return {};
  const Json& value = keys.raw(key);
  std::vector<std::int64_t> ids;
  const auto add = [&](const Json& id) {
    const auto n = whole_number(id, 0, limits::vocab);
    if (!n) keys.fail(key, "must be a token id or a list of them");
    ids.push_back(*n);
  };
  if (value.is_array()) {
    for (const auto& id : value) add(id);
  } else {
    add(value);
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

// A name that can only mean a file of the folder itself: an index must not make us open others.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
         });
}

// The weight files of a folder, by what the index or the plain name says.
std::vector<std::string> weight_files(const std::string& folder) {
  std::error_code ec;
  const auto single = fs::path(folder) / "model.safetensors";
  if (fs::exists(single, ec)) return {single.string()};
  const auto index = fs::path(folder) / "model.safetensors.index.json";
  if (!fs::exists(index, ec)) refuse_folder_without_weights(folder);
  const Json json = read_object(index.string());
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object() || map->empty()) {
    fail_input(index.string() + ": has no weight_map", "copy or download the file again");
  }
  std::map<std::string, std::string> tensor_in;  // a tensor of each file, for messages
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : std::string();
    if (!is_plain_name(name)) {
      fail_input(index.string() + ": " + tensor + " names no file of the folder",
                 "copy or download the index again");
    }
    tensor_in.emplace(name, tensor);
  }
  std::vector<std::string> files;
  std::string missing;
  for (const auto& [name, tensor] : tensor_in) {
    const auto path = fs::path(folder) / name;
    files.push_back(path.string());
    if (missing.empty() && !fs::exists(path, ec)) missing = name;
  }
  if (!missing.empty()) {
    fail_input(index.string() + ": names " + missing + " (for " + tensor_in[missing] +
                   "), which is not in the folder",
               "the download is incomplete; fetch the missing files");
  }
  return files;
}

// Old checkpoints carry this buffer; it follows from rope_theta.
bool is_ignored(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq");
}

// "tensors a, b, c, d and 12 more".
std::string listed(const std::string& what, const std::vector<std::string>& names) {
  constexpr std::size_t most = 4;
  std::string text = what + (names.size() > 1 ? "s " : " ");
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more"
                             : text;
}

// What to do about missing tensors, by what is there in their place.
template <class Map>
std::string why_missing(const std::vector<std::string>& missing, const Map& there) {
  if (missing == std::vector<std::string>{"lm_head.weight"}) {
    return "if the output projection is the embedding, config.json must say tie_word_embeddings: "
           "true";
  }
  constexpr std::string_view embedding = "embed_tokens.weight", ours = "model.";
  for (const auto& [name, file] : there) {
    const std::string prefix = name.ends_with(embedding)
                                   ? name.substr(0, name.size() - embedding.size())
                                   : std::string(ours);
    if (prefix == ours) continue;
    return "the checkpoint's names begin with \"" + prefix.substr(0, 60) +
           "\" where Hugging Face's Llama has \"model.\"; save it again from the whole model "
           "(adapters merged, without the wrapper that trained it)";
  }
  return "the checkpoint is incomplete, or config.json belongs to another one";
}

using FilesByTensor = std::unordered_map<std::string, const SafetensorsFile*>;

// Which of the files holds each tensor. Throws Error(input) where two do.
FilesByTensor tensors_of(const std::vector<SafetensorsFile>& files) {
  FilesByTensor where;
  for (const auto& file : files) {
    for (const auto& entry : file.entries()) {
      if (is_ignored(entry.name)) continue;
      if (!where.emplace(entry.name, &file).second) {
        fail_input(
            file.path() + ": tensor " + entry.name + " is also in " + where[entry.name]->path(),
            "remove the file that does not belong to the checkpoint");
      }
    }
  }
  return where;
}

// The widest precision of the parameters. Throws Error(input) where one is missing, of another
// shape or of whole numbers.
at::ScalarType check_tensors(const std::string& folder, const std::vector<ParameterSpec>& specs,
                             const FilesByTensor& where) {
  std::vector<std::string> missing;
  for (const auto& spec : specs) {
    if (!where.contains(spec.name)) missing.push_back(spec.name);
  }
  if (!missing.empty()) {
    fail_input(folder + ": " + listed("tensor", missing) +
                   (missing.size() == 1 ? " is missing" : " are missing"),
               why_missing(missing, where));
  }
  std::optional<at::ScalarType> widest;
  for (const auto& spec : specs) {
    const auto it = where.find(spec.name);
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
  return *widest;
}

// A tied checkpoint may store the shared matrix twice; it must then be the same one.
void check_tied_head(const FilesByTensor& where, const ParameterSpec& embedding_spec) {
  const auto head = where.find("lm_head.weight");
  if (head == where.end()) return;
  const at::Tensor embedding = where.at(embedding_spec.name)->tensor(embedding_spec.name);
  const at::Tensor twice = head->second->tensor("lm_head.weight").to(embedding.scalar_type());
  if (!at::equal(twice, embedding)) {
    fail_input(head->second->path() +
                   ": tensor lm_head.weight differs from the embedding, but "
                   "config.json says tie_word_embeddings: true",
               "set tie_word_embeddings to false");
  }
}

void refuse_other_tensors(const LlamaShape& shape, const std::vector<ParameterSpec>& specs,
                          const FilesByTensor& where) {
  std::set<std::string> extra;
  for (const auto& [name, file] : where) extra.insert(name);
  for (const auto& spec : specs) extra.erase(spec.name);
  if (shape.tied) extra.erase("lm_head.weight");
  if (extra.empty()) return;
  fail_input(where.at(*extra.begin())->path() + ": " +
                 listed("tensor", {extra.begin(), extra.end()}) +
                 (extra.size() == 1 ? " is" : " are") + " not part of a Llama model" +
                 " of this config.json",
             "the checkpoint has parts that would be ignored (adapters, biases, more layers than "
             "config.json says); merge or remove them first");
}

}  // namespace

HuggingFaceConfig read_huggingface_config(const std::string& folder) {
  const std::string file = (fs::path(folder) / "config.json").string();
  std::error_code ec;
  if (!fs::exists(file, ec)) refuse_folder_without_config(folder);
  const Json json = read_object(file);
  const Keys keys(json, file);
  refuse_unsupported(keys);
  HuggingFaceConfig config;
  LlamaShape& s = config.shape;
  s.vocab = keys.integer("vocab_size", limits::vocab);
  s.hidden = keys.integer("hidden_size", limits::hidden);
  s.inner = keys.integer("intermediate_size", limits::inner);
  s.layers = keys.integer("num_hidden_layers", limits::layers);
  s.heads = keys.integer("num_attention_heads", limits::heads);
  // Absent keys have the defaults of transformers' LlamaConfig.
  s.kv_heads = keys.integer("num_key_value_heads", limits::heads, s.heads);
  s.head_dim = keys.integer("head_dim", limits::head_dim, 0);
  s.max_positions = keys.integer("max_position_embeddings", limits::positions, 2048);
  s.norm_eps = keys.number("rms_norm_eps", 1e-6);
  s.tied = keys.flag("tie_word_embeddings", false);
  read_rope(keys, s);
  read_state_head(keys, s);
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
    FilesByTensor where;
  };
  const auto opened = std::make_shared<Opened>();
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
  }
  opened->where = tensors_of(opened->files);
  const auto specs = parameter_specs(config.shape);
  source.dtype = check_tensors(folder, specs, opened->where);
  if (config.shape.tied) check_tied_head(opened->where, specs[0]);
  refuse_other_tensors(config.shape, specs, opened->where);
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
