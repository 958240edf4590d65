#include "coordinate/run_folder.h"

#include <algorithm>
#include <filesystem>

#include "coordinate/experiment.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/log.h"
#include "core/temporary_name.h"

namespace straq::coordinate {
namespace fs = std::filesystem;

namespace {

// How a run of a version that did not note its inputs compares: its config, with every default
// written out and without what only says where and how it was computed and scored.
std::string comparable(const config::Value& config) {
  config::Value out = config;
  try {
    out = config::dump(read_experiment(config));
  } catch (const Error&) {
    // A config that this version cannot read stays as it is.
  }
  std::erase_if(out.map, [](const auto& kv) {
    for (const char* key : {"sweep", "results", "roles", "threads", "checkpoint", "watchdog",
                            "shards", "evaluate", "gen", "simulate"}) {
      if (kv.first == key) return true;
    }
    return false;
  });
  for (auto& [name, section] : out.map) {
    std::erase_if(section.map, [&](const auto& kv) {
      return (name == "model" && (kv.first == "device" || kv.first == "recompute")) ||
             (name == "learn" && (kv.first == "collectives" || kv.first == "micro_tokens" ||
                                  kv.first == "zero1" || kv.first == "max_bad_steps"));
    });
  }
  return config::to_yaml(out);
}

// How predictions are scored is no input of a run, but a table made of them is worth a word.
void tell_other_evaluation(const std::string& folder, const config::Value& before,
                           const config::Value& now) {
  const auto section = [](const config::Value& root) {
    const config::Value* v = root.find("evaluate");
    return v == nullptr ? std::string() : config::to_yaml(*v);
  };
  if (section(before) == section(now)) return;
  log::warn("coordinate",
            "{} was evaluated as its config.yaml says, not as evaluate says now; "
            "`straq evaluate` scores it again",
            folder);
}

}  // namespace

bool RunFolder::done() const {
  std::error_code ec;
  return fs::exists(file("DONE"), ec);
}

bool RunFolder::done_with(const config::Value& config, const RunInputs& inputs, bool anyway) const {
  if (!done()) return false;
  const config::Value old = config::load_yaml(file("config.yaml"));
  auto provenance = nlohmann::ordered_json::object();
  if (fs::exists(file("provenance.json"))) {
    provenance = read_ordered_json_file(file("provenance.json"), "the file is damaged");
  }
  std::vector<std::string> changes;
  if (provenance.is_object() && provenance.contains("inputs")) {
    try {
      changes = inputs.changes_since(RunInputs::from_json(provenance["inputs"]));
    } catch (const nlohmann::json::exception&) {
      changes = {"its provenance.json does not say what it was made from"};
    }
  } else if (comparable(old) != comparable(config)) {
    changes = {"its config was another"};
  }
  if (!changes.empty() && !anyway) {
    fail_input(path_ + " holds a finished run of other inputs: " + join_changes(changes),
               "give this experiment another name, remove that folder, or take the run as it is "
               "with --continue-anyway");
  }
  if (!changes.empty()) {
    log::warn("coordinate", "{} is taken as done although {} (--continue-anyway)", path_,
              join_changes(changes));
    nlohmann::ordered_json note = {{"taken_as", "done"}, {"changes", changes}};
    auto& notes = provenance["continued_anyway"];
    if (!notes.is_array()) notes = nlohmann::ordered_json::array();
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
      notes.push_back(std::move(note));
      write_file_atomic(file("provenance.json"), dump_json(provenance, 2) + "\n");
    }
  }
  tell_other_evaluation(path_, old, config);
  return true;
}

std::int64_t cut_after(const std::string& path, std::int64_t step) {
  if (!fs::exists(path)) return 0;
  const std::string text = read_file(path);
  std::int64_t last = 0;
  std::size_t kept = 0;
  while (kept < text.size()) {
    const std::size_t end = text.find('\n', kept);
    if (end == std::string::npos) break;  // a half-written line
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(kept),
                                            text.begin() + static_cast<std::ptrdiff_t>(end),
                                            nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) break;
    const auto at = line["step"].get<std::int64_t>();
    if (at > step) break;
    last = at;
    kept = end + 1;
  }
  if (kept < text.size()) write_file_atomic(path, std::string_view(text).substr(0, kept));
  return last;
}

void RunFolder::begin(const config::Value& config, std::int64_t step) const {
  make_folders(path_);
  for (const std::string& folder : {path_, planner()}) remove_left_temporaries(folder);
  for (const char* name : {"DONE", "FAILED", "evaluation.json"}) fs::remove(file(name));
  fs::remove_all(file("predictions"));
  for (const char* name : {"metrics.jsonl", "timings.jsonl", "evaluations.jsonl"}) {
    if (step > 0) {
      const std::int64_t last = cut_after(file(name), step);
      if (last != step && std::string(name) == "metrics.jsonl") {
        log::warn("coordinate", "{} ends at step {}, before the checkpoint of step {}", file(name),
                  last, step);
      }
    } else {
      fs::remove(file(name));
    }
  }
  write_file_atomic(file("config.yaml"), config::to_yaml(config));
}

void RunFolder::finish() const {
  fs::remove(file("FAILED"));
  write_file_atomic(file("DONE"), "");
}

void RunFolder::fail(const FailureNote& note) const {
  make_folders(path_);
  write_file_atomic(file("FAILED"), note.to_text());
}

}  // namespace straq::coordinate
