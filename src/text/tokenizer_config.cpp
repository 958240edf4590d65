#include "text/tokenizer_config.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/choices.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/log.h"

namespace straq::text {
namespace {

namespace fs = std::filesystem;

// Raised whenever training would give another result for the same options and texts.
constexpr int training_version = 1;

// True when `folder` holds the result of this key and its file is the one that was written.
bool is_there(const fs::path& folder, const std::string& name, const std::string& key) {
  const fs::path record = folder / "training.json";
  if (!fs::exists(record) || !fs::exists(folder / name)) return false;
  const auto json = nlohmann::json::parse(read_file(record.string()), nullptr, false);
  return json.is_object() && json.value("key", "") == key &&
         json.value("sha256", "") == sha256_file((folder / name).string());
}

}  // namespace

void check_tokenizer(const TokenizerConfig& config) {
  if (config.path.empty() == !config.train) {
    fail_input(config.train ? "tokenizer.path and tokenizer.train are both given"
                            : "tokenizer.path and tokenizer.train are both missing",
               "name a tokenizer that exists with path, or describe one to train with train");
  }
}

std::string training_key(const TrainOptions& options, const std::vector<std::string>& texts) {
  TrainOptions relevant = options;
  Sha256 hash;
  hash.update(std::to_string(training_version) + "\n");
  hash.update(config::to_yaml(config::dump(relevant)));
  // The length before each text: "ab", "c" is not "a", "bc".
  for (const auto& text : texts) hash.update(std::to_string(text.size()) + ":").update(text);
  return hash.hex();
}

std::string prepare_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& texts,
                              const std::string& out_folder) {
  check_tokenizer(config);
  if (!config.train) {
    if (!fs::exists(config.path)) {
      fail_input("tokenizer.path: \"" + config.path + "\" does not exist",
                 "paths are taken from the folder the program runs in");
    }
    return config.path;
  }
  const TrainOptions& options = *config.train;
  const std::string key = training_key(options, texts);
  const std::string kind = config::word_of(kTokenizerKinds, options.kind);
  const fs::path folder = fs::path(out_folder) / (kind + "-" + std::to_string(options.vocab_size) +
                                                  "-" + key.substr(0, 12));
  const std::string name = tokenizer_file_name(options.kind);
  const std::string path = (folder / name).string();
  if (is_there(folder, name, key)) return path;

  const auto start = std::chrono::steady_clock::now();
  train_tokenizer(texts, options, path);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const nlohmann::ordered_json record = {
      {"key", key},
      {"sha256", sha256_file(path)},
      {"texts", texts.size()},
      {"options", config::to_json(config::dump(options))},
  };
  write_file_atomic((folder / "training.json").string(), record.dump(2) + "\n");
  log::info("text", "trained a {} tokenizer of {} tokens on {} texts in {:.1f} s: {}", kind,
            options.vocab_size, texts.size(), seconds.count(), path);
  return path;
}

}  // namespace straq::text
