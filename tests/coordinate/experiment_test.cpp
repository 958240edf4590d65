// What a config may say about evaluations during training and about the best weights.
#include "coordinate/experiment.h"

#include <gtest/gtest.h>

#include "coordinate/point_runner.h"
#include "coordinate/trainer.h"
#include "tests/testing.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;

ExperimentConfig read(const std::string& text) {
  return read_experiment(config::parse_yaml("name: x\n" + text, "e.yaml"));
}

TEST(Experiment, TheBestWeightsNeedEvaluationsDuringTraining) {
  for (const char* text : {"best: {use: true}", "best: {patience: 3}"}) {
    const auto e = error_of([&] { read(text); });
    ASSERT_TRUE(e) << text;
    EXPECT_NE(std::string(e->what()).find("best"), std::string::npos);
    EXPECT_NE(e->hint().find("evaluate.every_steps"), std::string::npos);
    EXPECT_NO_THROW(read(text + std::string("\nevaluate: {every_epochs: 0.5}")));
  }
}

TEST(Experiment, LowerIsBetterForTheBiasUnlessSaidOtherwise) {
  EXPECT_FALSE(read("").best.lower_is_better());
  EXPECT_TRUE(read("best: {metric: bias}").best.lower_is_better());
  EXPECT_FALSE(read("best: {metric: bias, mode: max}").best.lower_is_better());
  EXPECT_TRUE(read("best: {metric: acc, mode: min}").best.lower_is_better());
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
  const auto stages = stages_of(
      read("pretrain: {objective: {lm: 1}, epochs: 0.5}\nlearn: {steps: 9, epochs: 4}"), 7);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].steps, 4);  // half an epoch of seven batches, rounded up
  EXPECT_FALSE(stages[0].syncs);
  EXPECT_EQ(stages[1].steps, 9);
  EXPECT_TRUE(stages[1].syncs);
}

TEST(Experiment, CheckpointsChangeNoNumberAndSoNoIdentity) {
  const auto dump = [](const std::string& text) {
    return config::to_yaml(without_placement(config::dump(read(text))));
  };
  EXPECT_EQ(dump("checkpoint: {every_steps: 3}\nroles: {learners: 2}\nthreads: 4"), dump(""));
  // A run that began on a GPU goes on without one.
  EXPECT_EQ(dump("model: {device: cpu}\nlearn: {collectives: {backend: mpi}}"), dump(""));
  EXPECT_NE(dump("learn: {gamma: 0.5}"), dump(""));
}

}  // namespace
}  // namespace straq::coordinate
