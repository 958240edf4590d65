// The folder of one run (one sweep point): where everything in it lies, and the markers that say
// how it ended. docs/formats.md describes every file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "config/value.h"
#include "results/failure.h"

namespace straq::results {

class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string planner() const { return file("planner"); }
  std::string predictions(const std::string& split) const {
    return file("predictions/" + split + ".jsonl");
  }

  bool done() const;  // DONE is there, of whatever run
  std::string checkpoints() const { return file("checkpoints"); }

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

// Keeps the lines of a JSON lines file whose `step` is at most `step`; whatever follows the first
// later or broken line goes. Returns the last step kept (0: none). A missing file stays missing.
std::int64_t cut_after(const std::string& path, std::int64_t step);

}  // namespace straq::results
