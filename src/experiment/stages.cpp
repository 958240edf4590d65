#include "experiment/stages.h"

#include <cmath>

#include "core/error.h"
#include "learn/sampler.h"

namespace straq::experiment {
namespace {

bool has_steps(const learn::StageConfig& stage) {
  return stage.epochs > 0 || stage.steps > 0;
}

std::int64_t steps_of(const learn::StageConfig& stage, std::int64_t batches) {
  if (stage.steps > 0) return stage.steps;
  return static_cast<std::int64_t>(std::ceil(stage.epochs * static_cast<double>(batches)));
}

}  // namespace

std::vector<Stage> stages_of(const ExperimentConfig& config, const BatchCount& batches) {
  std::vector<Stage> stages;
  const auto add = [&](const char* name, const learn::StageConfig& stage, bool syncs) {
    const std::int64_t n = batches(stage.objective);
    if (n == 0 && has_steps(stage)) {
      fail_input(
          std::string("the train split has nothing that the stage ") + name + " could learn from",
          "the Bellman equation and ce need dialogues with strategies, lm needs text");
    }
    stages.push_back(
        {.name = name, .config = stage, .steps = steps_of(stage, n), .syncs = syncs, .batches = n});
  };
  if (has_steps(config.pretrain)) add("pretrain", config.pretrain, false);
  const bool bellman = config.learn.objective.bellman > 0;
  add(config.responder.trains() ? "reply"
      : bellman                 ? "q"
                                : "ce",
      config.learn, bellman && config.learn.target.every > 0);
  return stages;
}

bool needs_decisions(const ExperimentConfig& config) {
  const auto needs = [](const learn::StageConfig& stage) {
    return has_steps(stage) && learn::learns_decisions(stage.objective);
  };
  if (config.responder.trains()) return has_steps(config.learn);
  return needs(config.pretrain) || needs(config.learn);
}

bool learns_text(const ExperimentConfig& config) {
  const auto learns = [](const learn::StageConfig& stage) {
    return has_steps(stage) && stage.objective.lm > 0;
  };
  if (config.responder.trains()) return false;
  return learns(config.pretrain) || learns(config.learn);
}

std::vector<std::string> splits_to_train(const ExperimentConfig& config) {
  std::vector<std::string> splits = {"train"};
  if (config.evaluate.during_training() && config.evaluate.split != "train") {
    splits.push_back(config.evaluate.split);
  }
  return splits;
}

}  // namespace straq::experiment
