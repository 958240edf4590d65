#include "results/run_folder.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/json/json.h"
#include "core/log.h"

namespace straq::results {
namespace fs = std::filesystem;

bool RunFolder::done() const {
  std::error_code ec;
  return fs::exists(file("DONE"), ec);
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

}  // namespace straq::results
