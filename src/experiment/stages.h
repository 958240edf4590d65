// Which stages a config has, and what data they ask for: pure functions of the config, so that a
// job knows before it starts what its points will need.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiment/experiment.h"

namespace straq::experiment {

struct Stage {
  const char* name;
  learn::StageConfig config;
  std::int64_t steps = 0;
  bool syncs = false;
  std::int64_t batches = 0;  // of an epoch
};

// How many batches an epoch of a stage with this objective has: text alone is cut otherwise than
// decisions (learn::Texts).
using BatchCount = std::function<std::int64_t(const learn::ObjectiveConfig& objective)>;
// The stages of a config: pretrain where it has steps, then learn.
std::vector<Stage> stages_of(const ExperimentConfig& config, const BatchCount& batches);
// Whether some stage that has steps learns from decisions: then a train split without any is of no
// use. Text is enough for a run that pretrains on it and asks the planner as it is then
// (learn.epochs 0), as long as the splits to be evaluated have decisions.
bool needs_decisions(const ExperimentConfig& config);
// Whether some stage that has steps learns from the dialogues' text: else dialogues without
// decisions are of no use.
bool learns_text(const ExperimentConfig& config);
// The splits that must be there before a point can start.
std::vector<std::string> splits_to_train(const ExperimentConfig& config);

}  // namespace straq::experiment
