#include "model/weights/adapter.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json_fields.h"
#include "model/weights/safetensors.h"

namespace straq::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kWeights = "adapter_model.safetensors";
const std::string kBegin = "base_model.model.";  // of every tensor's name

// What of a config must have the value at which it does nothing.
void require_plain(const std::string& path, const Json& config) {
  const auto refuse = [&](const std::string& key) {
    fail_input(path + ": \"" + key + "\" is " + config.at(key).dump() + ", which is not supported",
               "merge the adapter with the library that trained it and name the merged model");
  };
  for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias", "megatron_config",
                          "use_qalora", "modules_to_save", "rank_pattern", "alpha_pattern",
                          "layer_replication", "trainable_token_indices", "target_parameters"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || *found == false) continue;
    if ((found->is_object() || found->is_array()) && found->empty()) continue;
    refuse(key);
  }
  if (config.value("bias", Json("none")) != "none") refuse("bias");
}

double scale_of(const std::string& path) {
  const Json config = read_json_of(path, "take the folder that PEFT has written");
  if (!config.is_object()) fail_input(path + ": no JSON object", "take PEFT's own file");
  if (config.value("peft_type", Json()) != "LORA") {
    fail_input(
        path + ": \"peft_type\" is " + config.value("peft_type", Json()).dump() + ", expected LORA",
        "other adapters are not supported; merge it with the library that trained it");
  }
  require_plain(path, config);
  JsonFields fields(config, {path, "take the file that PEFT has written"});
  std::int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;
  fields.within("r", rank, std::int64_t{1}, std::int64_t{1} << 20);
  fields("lora_alpha", alpha);
  fields.unless_default("use_rslora", rslora);
  return rslora ? alpha / std::sqrt(static_cast<double>(rank)) : alpha / static_cast<double>(rank);
}

// The two factors of a weight, by the names of their tensors.
struct Factors {
  std::string a, b;
};

// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" belongs to
// "model.layers.0.self_attn.q_proj.weight".
std::map<std::string, Factors> factors_of(const SafetensorsFile& file) {
  std::map<std::string, Factors> out;
  for (const auto& entry : file.entries()) {
    const auto at = entry.name.rfind(".lora_");
    const std::string end = at == std::string::npos ? std::string() : entry.name.substr(at);
    const bool a = end == ".lora_A.weight", b = end == ".lora_B.weight";
    if (!entry.name.starts_with(kBegin) || (!a && !b)) {
      fail_input(file.path() + ": tensor " + entry.name + " is no factor of a LoRA adapter",
                 "take the file that PEFT has written for a causal language model");
    }
    auto& factors = out[entry.name.substr(kBegin.size(), at - kBegin.size()) + ".weight"];
    (a ? factors.a : factors.b) = entry.name;
  }
  if (out.empty()) fail_input(file.path() + ": holds no tensors", "take PEFT's own file");
  return out;
}

void check_factors(const SafetensorsFile& file, const LlamaShape& shape,
                   const std::map<std::string, Factors>& factors) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& spec : parameter_specs(shape)) shapes.emplace(spec.name, spec.shape);
  for (const auto& [name, f] : factors) {
    const auto found = shapes.find(name);
    if (found == shapes.end() || found->second.size() != 2) {
      fail_input(file.path() + ": the adapter changes " + name + ", which the model does not have",
                 "name the model that the adapter was trained on");
    }
    if (f.a.empty() || f.b.empty()) {
      fail_input(file.path() + ": " + name + " has one factor without the other",
                 "the file is damaged; take it from where it came from once more");
    }
    const auto& a = file.find(f.a)->shape;
    const auto& b = file.find(f.b)->shape;
    if (a.size() != 2 || b.size() != 2 || a[0] != b[1] || b[0] != found->second[0] ||
        a[1] != found->second[1]) {
      fail_input(file.path() + ": factors " + shape_words(b) + " and " + shape_words(a) + " of " +
                     name + " do not make " + shape_words(found->second),
                 "name the model that the adapter was trained on");
    }
  }
}

}  // namespace

WeightsSource with_adapter(WeightsSource base, const std::string& folder) {
  const auto config = (fs::path(folder) / kConfig).string();
  const auto weights = (fs::path(folder) / kWeights).string();
  for (const auto& path : {config, weights}) {
    if (!fs::exists(path)) {
      fail_input(folder + ": there is no " + fs::path(path).filename().string(),
                 "name the folder of a LoRA adapter as PEFT writes it");
    }
  }
  const double scale = scale_of(config);
  const auto file = std::make_shared<const SafetensorsFile>(weights);
  const auto factors = factors_of(*file);
  check_factors(*file, base.shape, factors);
  WeightsSource out = base;
  out.path = base.path + " with " + folder;
  out.dtype = at::kFloat;
  out.files.push_back(config);
  out.files.push_back(weights);
  out.bytes += fs::file_size(weights);
  out.tensor = [tensor = std::move(base.tensor), file, factors, scale](const ParameterSpec& spec) {
    at::Tensor w = tensor(spec);
    const auto found = factors.find(spec.name);
    if (found == factors.end()) return w;
    const auto part = [&](const std::string& name) { return file->tensor(name).to(at::kFloat); };
    return w.to(at::kFloat) + at::mm(part(found->second.b), part(found->second.a)).mul_(scale);
  };
  return out;
}

void write_adapter(const Llama& model, const std::string& folder, const std::string& base) {
  const auto& lora = model.part().lora;
  if (lora.rank == 0) throw std::logic_error("the model trains no adapter");
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& spec : model.parameters().specs()) {
    if (spec.name.find(".lora_") == std::string::npos) continue;
    tensors.emplace_back(kBegin + spec.name, model.parameters()[spec.name].cpu());
  }
  Json config = {{"peft_type", "LORA"},
                 {"task_type", "CAUSAL_LM"},
                 {"base_model_name_or_path", base},
                 {"r", lora.rank},
                 {"lora_alpha", lora.alpha},
                 {"target_modules", lora.targets},
                 {"lora_dropout", 0.0},
                 {"bias", "none"},
                 {"fan_in_fan_out", false},
                 {"use_rslora", false},
                 {"use_dora", false},
                 {"inference_mode", true},
                 {"modules_to_save", nullptr}};
  if (model.part().frozen_layers > 0) {
    std::vector<std::int64_t> layers;
    for (auto i = model.part().frozen_layers; i < model.shape().layers; ++i) layers.push_back(i);
    config["layers_to_transform"] = layers;
  }
  make_folders(folder);
  write_safetensors((fs::path(folder) / kWeights).string(), tensors, {{"format", "pt"}});
  write_file_atomic((fs::path(folder) / kConfig).string(), config.dump(2) + "\n");
}

}  // namespace straq::model
