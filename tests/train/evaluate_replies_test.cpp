#include "train/evaluate_replies.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"
#include "train/shared_outcome.h"

namespace straq::train {
namespace {

struct Setting {
  shard::DatasetView data;
  learn::LearnConfig config = learn::testing::plain_config();
  std::unique_ptr<comm::Collectives> group = comm::make_local_collectives();
  std::unique_ptr<learn::Learner> learner;

  explicit Setting(std::int64_t micro_tokens) {
    data.splits.emplace_back("test", planner::testing::reply_combs(8, 4));
    data.splits.emplace_back("silent", planner::testing::partly_labelled(1, 4));
    auto& silent = data.splits.back().second;
    for (auto& comb : silent) comb.probes.clear(), comb.decisions.clear();
    config.objective = {.bellman = 0, .ce = 0, .lm = 1};
    config.micro_tokens = micro_tokens;
    learner = std::make_unique<learn::Learner>(
        planner::testing::random_model(planner::testing::kVocab, at::kDouble), data.split("test"),
        std::vector<std::int64_t>{}, planner::Readout::mean_logit, config, *group);
    learner->begin_stage(config, 10);
  }
};

// What an evaluation says is the loss that training would have on the same replies.
TEST(ReplyLoss, IsTheTrainingsLoss) {
  for (const std::int64_t micro_tokens : {70, 100000}) {
    Setting s(micro_tokens);
    const auto& combs = s.data.split("test");
    const auto loss = reply_loss(s.learner->reading(), s.data, "test", *s.group);
    learn::Batch all;
    std::int64_t decisions = 0, target = 0, reply = 0;
    for (std::size_t c = 0; c < combs.size(); ++c) {
      const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
      all.push_back({static_cast<std::int32_t>(c), 0, n});
      decisions += n;
      for (const auto& branch : combs[c].probes) {
        target += branch.target;
        reply += branch.reply;
      }
    }
    const auto step = s.learner->step(
        all, 0, [](std::int32_t, std::int32_t, std::int64_t, std::vector<learn::Transition>&) {});
    EXPECT_NEAR(loss.target.nll, step.lm_loss, 1e-10);
    EXPECT_DOUBLE_EQ(loss.target.perplexity(), std::exp(loss.target.nll));
    EXPECT_EQ(loss.decisions, decisions);
    EXPECT_EQ(loss.target.tokens, target);
    EXPECT_EQ(loss.reply.tokens, reply);
    ASSERT_TRUE(loss.strategy);
    EXPECT_EQ(loss.strategy->tokens, target - reply);
    EXPECT_NEAR(loss.reply.nll * static_cast<double>(reply) +
                    loss.strategy->nll * static_cast<double>(target - reply),
                loss.target.nll * static_cast<double>(target), 1e-7);
    EXPECT_NE(loss.reply.nll, loss.strategy->nll);
  }
}

TEST(ReplyLoss, SplitsThatAreNotAskedForKeepTheirs) {
  Setting s(1000);
  straq::testing::TemporaryFolder folder;
  const results::RunFolder run(folder.path());
  results::ReplyLosses before;
  before.splits.emplace_back("valid", results::ReplyLoss{3, {4, 0.5}, {4, 0.5}, {}});
  before.splits.emplace_back("test", results::ReplyLoss{1, {1, 9}, {1, 9}, {}});
  results::write_reply_losses(run.reply_loss(), before);
  evaluate_replies(s.learner->reading(), s.data, {"test"}, run, *s.group);
  const auto after = results::read_reply_losses(run.reply_loss());
  ASSERT_EQ(after.splits.size(), 2u);
  EXPECT_EQ(after.splits[0].first, "test");
  EXPECT_GT(after.splits[0].second.decisions, 1);
  EXPECT_TRUE(after.splits[0].second.strategy);
  EXPECT_EQ(after.splits[1].first, "valid");
  EXPECT_EQ(after.splits[1].second.target.tokens, 4);
  EXPECT_FALSE(after.splits[1].second.strategy);
}

TEST(ReplyLoss, ASplitWithoutDecisionsIsRefused) {
  Setting s(1000);
  for (const char* split : {"silent", "nowhere"}) {
    EXPECT_THROW(reply_loss(s.learner->reading(), s.data, split, *s.group), SharedFailure) << split;
  }
}

}  // namespace
}  // namespace straq::train
