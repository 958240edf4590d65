// Which stages a config has, and what must be there before a point can start.
#include "experiment/stages.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "learn/sampler.h"

namespace straq::experiment {
namespace {

ExperimentConfig read(const std::string& text) {
  return read_experiment(config::parse_yaml("name: x\n" + text, "e.yaml"));
}

// A point must not start before the split that it evaluates while it trains is there.
TEST(Experiment, APointWaitsForTheSplitsThatItTrainsWith) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(splits_to_train(read("")), Names{"train"});
  EXPECT_EQ(splits_to_train(read("evaluate: {every_steps: 5}")), (Names{"train", "valid"}));
  EXPECT_EQ(splits_to_train(read("evaluate: {every_steps: 5, split: test}")),
            (Names{"train", "test"}));
  EXPECT_EQ(splits_to_train(read("evaluate: {every_steps: 5, split: train}")), Names{"train"});
}

TEST(Experiment, StagesCountStepsOrEpochs) {
  const auto stages =
      stages_of(read("pretrain: {objective: {lm: 1}, epochs: 0.5}\nlearn: {steps: 9, epochs: 4}"),
                [](const learn::ObjectiveConfig&) { return 7; });
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].steps, 4);  // half an epoch of seven batches, rounded up
  EXPECT_FALSE(stages[0].syncs);
  EXPECT_EQ(stages[1].steps, 9);
  EXPECT_TRUE(stages[1].syncs);
}

// Text alone is cut into batches otherwise than decisions; each stage counts its own.
TEST(Experiment, EachStageCountsTheBatchesOfItsOwnObjective) {
  const auto batches = [](const learn::ObjectiveConfig& objective) {
    return learn::texts_of(objective) == learn::Texts::alone ? 20 : 7;
  };
  const auto stages =
      stages_of(read("pretrain: {objective: {lm: 1}, epochs: 1}\nlearn: {epochs: 2}"), batches);
  EXPECT_EQ(stages.at(0).steps, 20);
  EXPECT_EQ(stages.at(0).batches, 20);
  EXPECT_EQ(stages.at(1).steps, 14);
  const auto none = [](const learn::ObjectiveConfig&) { return 0; };
  EXPECT_THROW(stages_of(read("learn: {epochs: 2}"), none), Error);
  EXPECT_EQ(stages_of(read("learn: {epochs: 0}"), none).at(0).steps, 0);
}

TEST(Experiment, ATrainSplitOfTextAloneIsEnoughForTextAlone) {
  EXPECT_TRUE(needs_decisions(read("")));
  EXPECT_TRUE(needs_decisions(read("pretrain: {objective: {lm: 1}, epochs: 1}")));
  EXPECT_TRUE(needs_decisions(
      read("pretrain: {objective: {lm: 1, ce: 1}, epochs: 1}\nlearn: {epochs: 0}")));
  EXPECT_FALSE(
      needs_decisions(read("pretrain: {objective: {lm: 1}, epochs: 1}\nlearn: {epochs: 0}")));
  EXPECT_FALSE(needs_decisions(read("learn: {objective: {bellman: 0, lm: 1}}")));
  EXPECT_FALSE(learns_text(read("")));
  EXPECT_FALSE(learns_text(read("learn: {objective: {lm: 1}, epochs: 0}")));
  EXPECT_TRUE(learns_text(read("learn: {objective: {lm: 1}}")));
  EXPECT_TRUE(learns_text(read("pretrain: {objective: {lm: 1}, steps: 3}")));
}

}  // namespace
}  // namespace straq::experiment
