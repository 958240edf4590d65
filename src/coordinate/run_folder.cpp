#include "coordinate/run_folder.h"

#include <filesystem>

#include "core/error.h"
#include "core/files.h"

namespace straq::coordinate {
namespace fs = std::filesystem;

config::Value without_placement(const config::Value& config) {
  config::Value out = config;
  std::erase_if(out.map, [](const auto& kv) {
    return kv.first == "results" || kv.first == "roles" || kv.first == "threads";
  });
  return out;
}

bool RunFolder::done_with(const config::Value& config) const {
  if (!fs::exists(file("DONE"))) return false;
  const config::Value old = config::load_yaml(file("config.yaml"));
  if (config::to_yaml(without_placement(old)) != config::to_yaml(without_placement(config))) {
    fail_input(path_ + " holds a finished run of another config",
               "give this experiment another name, or remove that folder");
  }
  return true;
}

void RunFolder::begin(const config::Value& config) const {
  make_folders(path_);
  for (const char* name : {"DONE", "FAILED", "metrics.jsonl", "timings.jsonl", "evaluation.json"}) {
    fs::remove(file(name));
  }
  fs::remove_all(file("predictions"));
  write_file_atomic(file("config.yaml"), config::to_yaml(config));
}

void RunFolder::finish() const {
  fs::remove(file("FAILED"));
  write_file_atomic(file("DONE"), "");
}

void RunFolder::fail(const std::string& reason) const {
  make_folders(path_);
  write_file_atomic(file("FAILED"), reason + "\n");
}

}  // namespace straq::coordinate
