// The folder of one run (one sweep point): where everything in it lies, and the markers that say
// how it ended. docs/formats.md describes every file.
//
//   const RunFolder run("results/esconv/seed-1");
//   if (!run.done()) run.begin(config);
//   LineWriter metrics(run.metrics(), /*append=*/true);
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/value.h"
#include "results/layout.h"
#include "results/rows/failure.h"

namespace straq::results {

class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string config() const { return file(kConfigFile); }
  std::string provenance() const { return file(kProvenanceFile); }
  std::string metrics() const { return file(kMetricsFile); }
  std::string timings() const { return file(kTimingsFile); }
  std::string evaluations() const { return file(kEvaluationsFile); }
  std::string evaluation() const { return file(kEvaluationFile); }
  std::string simulation() const { return file(kSimulationFile); }
  std::string reply_loss() const { return file(kReplyLossFile); }
  std::string planner() const { return file(kPlannerFolder); }
  std::string responder() const { return file(kResponderFolder); }
  std::string checkpoints() const { return file(kCheckpointsFolder); }
  std::string predictions(const std::string& split) const {
    return file(std::string(kPredictionsFolder) + "/" + split + kRows);
  }

  bool done() const;  // DONE is there, of whatever run
  // What FAILED says, if it is there.
  std::optional<FailureNote> failure() const;

  // Makes the folder ready for a run of `config`; what an earlier attempt left is removed. From
  // `step` above 0 the run goes on there: the numbers of the steps up to it stay, those after it
  // are cut off, for they will be made again.
  void begin(const config::Value& config, std::int64_t step = 0) const;
  // The marker, written last.
  void finish() const;
  void fail(const FailureNote& note) const;

 private:
  std::string path_;
};

}  // namespace straq::results
