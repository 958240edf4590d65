#include "experiment/run_inputs.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string_view>

#include "core/hash.h"
#include "experiment/initial_model.h"

namespace straq::experiment {
namespace {

namespace fs = std::filesystem;

// Sections and keys of a config that are no inputs: what they name is there by content, or they
// change no number.
constexpr std::array kSections{"name",     "results", "threads", "roles",      "watchdog",
                               "simulate", "data",    "prompt",  "checkpoint", "evaluate",
                               "best",     "sweep",   "shards",  "tokenizer",  "responder"};
constexpr std::array kKeys{"model.shape",           "model.from",          "model.device",
                           "model.recompute",       "learn.micro_tokens",  "learn.collectives",
                           "learn.zero1",           "learn.max_bad_steps", "learn.freeze.store",
                           "learn.replay.memory_mb"};

template <class List>
bool listed(const List& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

using Settings = std::map<std::string, std::string>;

// Every plain value by its dotted key.
void flatten(const config::Value& value, const std::string& key, Settings& out) {
  if (listed(kKeys, key)) return;
  if (value.kind != config::Value::Kind::map) {
    std::string text = value.scalar;
    if (value.kind == config::Value::Kind::list) text = config::to_json(value).dump();
    out[key] = std::move(text);
    return;
  }
  for (const auto& [name, inner] : value.map) flatten(inner, key + "." + name, out);
}

Settings settings_of(const ExperimentConfig& config) {
  Settings out;
  for (const auto& [name, section] : config::dump(config).map) {
    if (!listed(kSections, name)) flatten(section, name, out);
  }
  // A stage that is left out has no settings.
  if (config.pretrain.epochs <= 0 && config.pretrain.steps <= 0) {
    std::erase_if(out, [](const auto& kv) { return kv.first.starts_with("pretrain."); });
  }
  return out;
}

// What decides which weights the planner gets, where evaluations do.
void add_choice_of_weights(RunInputs& in, const ExperimentConfig& config) {
  if (!config.best.use && config.best.patience == 0) return;
  Settings settings;
  const auto evaluate = config::dump(config.evaluate);
  for (const char* key : {"every_steps", "every_epochs", "split"}) {
    flatten(*evaluate.find(key), std::string("evaluate.") + key, settings);
  }
  flatten(config::dump(config.best), "best", settings);
  for (const auto& [key, value] : settings) in.add(key, value);
}

// The files of a split, for people.
std::string files_of(const dialogue::DataConfig& data, const std::string& split) {
  const dialogue::Paths& paths = data.split != dialogue::SplitMode::official ? data.source
                                 : split == "train"                          ? data.train
                                 : split == "valid"                          ? data.valid
                                                                             : data.test;
  std::string out;
  for (const auto& path : paths.all) {
    out += (out.empty() ? "" : ", ") + fs::path(path).filename().string();
  }
  return out;
}

void add_data(RunInputs& in, const ExperimentConfig& config, const shard::ShardKey& data) {
  if (data.splits.empty()) in.add("data.source", data.source, "the corpus");
  for (const auto& s : data.splits) {
    in.add("data." + s.split, s.sha256, files_of(config.data, s.split));
  }
  for (const auto& file : data.outcomes) {
    const std::string& path = file.name == "ratings" ? config.data.ratings : config.data.judgements;
    in.add("data." + file.name, file.sha256, fs::path(path).filename().string());
  }
  in.add("data.rules", sha256_hex(data.data), "how data: reads labels, turns and splits");
  in.add("tokenizer", sha256_hex(data.tokenizer), "the tokenizer");
  in.add("prompt", data.prompt, "the prompt (template, its settings or the strategies)");
  in.add("prompt.window", std::to_string(data.window));
  // Batches are cut in the split's order.
  if (data.shuffle) in.add("shards.shuffle", std::to_string(*data.shuffle));
}

}  // namespace

RunInputs run_inputs(const ExperimentConfig& config, const shard::ShardKey& data,
                     std::int64_t vocab) {
  RunInputs in;
  add_data(in, config, data);
  Settings shape;
  flatten(config::dump(resolved_shape(config, vocab)), "shape", shape);
  for (const auto& [key, value] : shape) in.add(key, value, "the model's " + key);
  in.add("weights", config.model.from.empty() ? "" : weights_sha256(config.model.from),
         "the content of model.from");
  static const Settings defaults = settings_of(ExperimentConfig{});
  for (const auto& [key, value] : settings_of(config)) {
    const auto at = defaults.find(key);
    in.add(key, value, {}, at == defaults.end() ? "" : at->second);
  }
  if (config.learn.freeze.layers != 0 && config.learn.freeze.store == learn::StoredStates::bf16) {
    in.add("learn.freeze.store", "bf16");
  }
  add_choice_of_weights(in, config);
  return in;
}

}  // namespace straq::experiment
