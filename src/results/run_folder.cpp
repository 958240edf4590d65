#include "results/run_folder.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/log.h"
#include "results/rows/steps.h"

namespace straq::results {
namespace fs = std::filesystem;

bool RunFolder::done() const {
  std::error_code ec;
  return fs::exists(file(kDoneFile), ec);
}

std::optional<FailureNote> RunFolder::failure() const {
  std::ifstream in(file(kFailedFile));
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return FailureNote::parse(text.str());
}

void RunFolder::begin(const config::Value& config, std::int64_t step) const {
  make_folders(path_);
  for (const std::string& folder : {path_, planner(), responder()}) {
    remove_left_temporaries(folder);
  }
  for (const char* name :
       {kDoneFile, kFailedFile, kEvaluationFile, kReplyLossFile, kSimulationFile}) {
    fs::remove(file(name));
  }
  fs::remove_all(file(kPredictionsFolder));
  for (const char* name : {kMetricsFile, kTimingsFile, kEvaluationsFile}) {
    if (step > 0) {
      const std::int64_t last = cut_after(file(name), step);
      if (last != step && file(name) == metrics()) {
        log::warn("coordinate", "{} ends at step {}, before the checkpoint of step {}", file(name),
                  last, step);
      }
    } else {
      fs::remove(file(name));
    }
  }
  write_file_atomic(this->config(), config::to_yaml(config));
}

void RunFolder::finish() const {
  fs::remove(file(kFailedFile));
  write_file_atomic(file(kDoneFile), "");
}

void RunFolder::fail(const FailureNote& note) const {
  make_folders(path_);
  write_file_atomic(file(kFailedFile), note.to_text());
}

}  // namespace straq::results
