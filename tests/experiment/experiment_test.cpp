// What a config may say about evaluations during training and about the best weights.
#include "experiment/experiment.h"

#include <gtest/gtest.h>

#include "experiment/stages.h"
#include "metrics/metric.h"
#include "tests/testing.h"

namespace straq::experiment {
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

TEST(Experiment, AResponderLearnsRepliesAlone) {
  EXPECT_FALSE(read("").responder.trains());
  const auto config = read("responder: {method: direct}\nlearn: {epochs: 2}\n");
  EXPECT_TRUE(config.responder.trains());
  EXPECT_EQ(config.learn.objective.bellman, 0);
  EXPECT_EQ(config.learn.objective.lm, 1);
  EXPECT_TRUE(needs_decisions(config));
  EXPECT_FALSE(learns_text(config)) << "dialogues without strategies have nothing to give";
  // What it was resolved to is read back.
  EXPECT_EQ(read_experiment(config::dump(config)).learn.objective.lm, 1);
  for (const char* text :
       {"responder: {method: cot}", "responder: {method: direct}\npretrain: {steps: 3}",
        "responder: {method: straq}\nq: {readout: state_head}",
        "responder: {method: straq}\nsimulate: {config: c}\nevaluate: {play: 5}"}) {
    const auto e = straq::testing::error_of([&] { read(text); });
    ASSERT_TRUE(e) << text;
    EXPECT_EQ(e->exit_code(), 2);
    EXPECT_NE(std::string(e->what()).find("e.yaml"), std::string::npos) << e->what();
    EXPECT_FALSE(e->hint().empty()) << text;
  }
}

// Configs that runs of earlier versions recorded have a section that did nothing.
TEST(Experiment, AFormerSectionIsReadAndNotWritten) {
  EXPECT_EQ(config::dump(read("gen: {max_new_tokens: 64}\n")).find("gen"), nullptr);
}

TEST(Experiment, PlannersArePlayedInTheSimulatorOfTheirCorpus) {
  const auto e = error_of([&] { read("evaluate: {play: 100}"); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("evaluate.play"), std::string::npos) << e->what();
  EXPECT_NE(e->hint().find("simulate.config"), std::string::npos);
  EXPECT_EQ(read("evaluate: {play: 100}\nsimulate: {config: s.yaml, folder: c}").evaluate.play,
            100);
  EXPECT_EQ(read("").evaluate.play, 0);
}

// A number that its type holds and that the program would cut down later, or take all memory for.
TEST(Experiment, NumbersThatWouldBeNarrowedAreRefused) {
  for (const auto& [text, key] :
       {std::pair{"evaluate: {replicates: 4294967396}", "evaluate.replicates"},
        {"evaluate: {replicates: 3000000000}", "evaluate.replicates"},
        {"evaluate: {every_epochs: 1e300}", "evaluate.every_epochs"},
        {"evaluate: {every_steps: 9223372036854775807}", "evaluate.every_steps"},
        {"learn: {neg: {ratio: 1e12}}", "learn.neg.ratio"},
        {"learn: {batch: 9223372036854775807}", "learn.batch"},
        {"learn: {micro_tokens: 9223372036854775807}", "learn.micro_tokens"},
        {"learn: {steps: 9223372036854775807}", "learn.steps"},
        {"learn: {epochs: 1e300}", "learn.epochs"},
        {"learn: {replay: {capacity: 9223372036854775807}}", "learn.replay.capacity"},
        {"learn: {collectives: {bucket_mb: 1e300}}", "learn.collectives.bucket_mb"},
        {"learn: {collectives: {timeout_seconds: 1e300}}", "learn.collectives.timeout_seconds"},
        {"learn: {target: {every: 4294967306}}", "learn.target.every"},
        {"checkpoint: {every_minutes: 1e300}", "checkpoint.every_minutes"},
        {"checkpoint: {keep_last: 9223372036854775807}", "checkpoint.keep_last"},
        {"watchdog: {seconds: 1e300}", "watchdog.seconds"},
        {"threads: 2000000000", "threads"},
        {"threads: 4294967297", "threads"},
        {"prompt: {window: 2000000000}", "prompt.window"},
        {"shards: {dialogues_per_shard: 9223372036854775807}", "shards.dialogues_per_shard"},
        {"roles: {learners: 2147483647, preprocessors: 2147483647}", "roles."},
        {"tokenizer: {train: {threads: 100000}}", "tokenizer.train.threads"},
        {"seed: 9223372036854775808", "seed"}}) {
    const auto e = error_of([&] { read(text); });
    ASSERT_TRUE(e) << text;
    EXPECT_EQ(e->exit_code(), 2);
    EXPECT_NE(std::string(e->what()).find(key), std::string::npos) << e->what();
  }
}

TEST(Experiment, TheBestWeightsAreChosenByAnyMetricOfChoicesThatHasABetterSide) {
  for (const auto& m : metrics::strategy_metrics()) {
    const std::string text = "best: {metric: " + std::string(m.key) + "}";
    if (m.better == metrics::Better::neither) {
      EXPECT_TRUE(error_of([&] { read(text); })) << m.key;
      continue;
    }
    const auto best = read(text).best;
    EXPECT_EQ(&best.by(), &m);
    EXPECT_EQ(best.lower_is_better(), m.better == metrics::Better::lower) << m.key;
  }
  EXPECT_EQ(&read("").best.by(), &metrics::strategy_metric("macro_f1"));
  // No version took these: Q values are no metric of choices.
  for (const char* word : {"q", "bleu2", "mean_max_q"}) {
    const auto e = error_of([&] { read("best: {metric: " + std::string(word) + "}"); });
    ASSERT_TRUE(e) << word;
    EXPECT_NE(e->full().find("choose one of: acc, macro_f1, weighted_f1, bias"), std::string::npos)
        << e->full();
  }
}

TEST(Experiment, LowerIsBetterForTheBiasUnlessSaidOtherwise) {
  EXPECT_FALSE(read("").best.lower_is_better());
  EXPECT_TRUE(read("best: {metric: bias}").best.lower_is_better());
  EXPECT_FALSE(read("best: {metric: bias, mode: max}").best.lower_is_better());
  EXPECT_TRUE(read("best: {metric: acc, mode: min}").best.lower_is_better());
}

}  // namespace
}  // namespace straq::experiment
