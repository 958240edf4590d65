// A responder's comb gives the loss and the gradients of one sequence for each reply, of which the
// target's tokens alone are counted.
#include <gtest/gtest.h>

#include "learn/learner.h"
#include "learn/reply_rows.h"
#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

const ObjectiveConfig kWrites{.bellman = 0, .ce = 0, .lm = 1};

// Each reply as a text of its own: the loss on a text begins behind its header, so the header is
// the prompt. Nothing of this way through the program knows of branches.
std::vector<prompt::Comb> one_sequence_each(const std::vector<prompt::Comb>& combs) {
  std::vector<prompt::Comb> out;
  for (const auto& comb : combs) {
    for (const auto& branch : comb.probes) {
      const auto& trunk = comb.trunks[static_cast<std::size_t>(branch.trunk)].tokens;
      prompt::Comb single;
      single.id = comb.id;
      auto& text = single.trunks.emplace_back();
      text.tokens.assign(trunk.begin(), trunk.begin() + branch.attach);
      text.tokens.insert(text.tokens.end(), branch.tokens.begin(), branch.tokens.end());
      text.header = static_cast<std::int32_t>(text.tokens.size()) - branch.target;
      out.push_back(std::move(single));
    }
  }
  return out;
}

LearnConfig config_of(std::int64_t micro_tokens) {
  LearnConfig config = testing::plain_config();
  config.objective = kWrites;
  config.micro_tokens = micro_tokens;
  return config;
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item<double>();
}

// Nothing is asked of a responder's transitions.
void no_transition(std::int32_t, std::int32_t, std::int64_t, std::vector<Transition>&) {
  FAIL() << "a responder has no transitions";
}

struct Case {
  const char* name;
  at::ScalarType dtype;
  double tolerance;
  std::int64_t micro_tokens;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}
class ReplyExactness : public ::testing::TestWithParam<Case> {};

TEST_P(ReplyExactness, CombEqualsOneSequencePerReply) {
  const Case c = GetParam();
  const auto combs = planner::testing::reply_combs(9, 11);
  const auto singles = one_sequence_each(combs);
  std::int64_t repeated = 0, trunks = 0, tokens = 0;
  Batch comb_batch, single_batch;
  for (std::size_t i = 0; i < combs.size(); ++i) {
    for (const auto& branch : combs[i].probes) {
      repeated += combs[i].repeated(branch);
      tokens += branch.target;
    }
    trunks += static_cast<std::int64_t>(combs[i].trunks.size()) - 1;
    comb_batch.push_back(
        {static_cast<std::int32_t>(i), 0, static_cast<std::int32_t>(combs[i].decisions.size())});
  }
  ASSERT_GT(repeated, 0) << "the trunk goes on with some branch";
  ASSERT_GT(trunks, 0) << "some reply hangs on a trunk of its own";
  for (std::size_t i = 0; i < singles.size(); ++i) {
    single_batch.push_back({static_cast<std::int32_t>(i), 0, 0});
  }
  const auto group = comm::make_local_collectives();
  const LearnConfig config = config_of(c.micro_tokens);
  Learner by_comb(testing::random_model(testing::kVocab, c.dtype), combs, {},
                  planner::Readout::mean_logit, config, *group);
  Learner by_sequence(testing::random_model(testing::kVocab, c.dtype), singles, testing::kOptions,
                      planner::Readout::mean_logit, config, *group);
  for (Learner* l : {&by_comb, &by_sequence}) l->begin_stage(config, 10);
  const auto a = by_comb.step(comb_batch, 0, no_transition);
  const auto b = by_sequence.step(single_batch, 0, no_transition);
  EXPECT_EQ(a.text_tokens, tokens);
  EXPECT_EQ(b.text_tokens, tokens);
  EXPECT_EQ(a.decisions, static_cast<std::int64_t>(singles.size()));
  ASSERT_GT(b.loss, 0);
  EXPECT_NEAR(a.loss, b.loss, c.tolerance * b.loss);
  EXPECT_NEAR(a.lm_loss, b.lm_loss, c.tolerance * b.loss);
  EXPECT_LT(a.tokens, b.tokens / 2) << "the point of it";
  auto& mine = by_comb.online().parameters();
  auto& reference = by_sequence.online().parameters();
  for (const auto& spec : mine.specs()) {
    EXPECT_LT(relative(mine.grad(spec.name), reference.grad(spec.name)), c.tolerance) << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, ReplyExactness,
                         ::testing::Values(Case{"fp64", at::kDouble, 1e-10, 100000},
                                           Case{"fp64_in_pieces", at::kDouble, 1e-10, 60},
                                           Case{"fp32", at::kFloat, 2e-5, 100000}),
                         [](const auto& info) { return info.param.name; });

// A dialogue that batches cut, or decisions that are drawn one by one, are learned as a whole one.
TEST(Replies, APartOfADialogueIsThatPartsLoss) {
  const auto combs = planner::testing::reply_combs(3, 5);
  const auto group = comm::make_local_collectives();
  const LearnConfig config = config_of(100000);
  const auto loss_of = [&](const Batch& batch) {
    Learner learner(testing::random_model(testing::kVocab, at::kDouble), combs, {},
                    planner::Readout::mean_logit, config, *group);
    learner.begin_stage(config, 10);
    const auto m = learner.step(batch, 0, no_transition);
    return std::pair(m.loss, m.text_tokens);
  };
  const auto n = static_cast<std::int32_t>(combs[0].decisions.size());
  const auto [whole, all] = loss_of({{0, 0, n}});
  double sum = 0;
  std::int64_t tokens = 0;
  for (std::int32_t d = 0; d < n; ++d) {
    const auto [part, some] = loss_of({{0, d, d + 1}});
    EXPECT_EQ(some, combs[0].probes[static_cast<std::size_t>(d)].target);
    sum += part * static_cast<double>(some);
    tokens += some;
  }
  EXPECT_EQ(tokens, all);
  EXPECT_NEAR(sum / static_cast<double>(tokens), whole, 1e-10);
}

// Which rows predict a target, worked out by hand.
TEST(Replies, TargetsArePredictedByTheRowsBeforeThem) {
  prompt::Comb comb;
  comb.id = "x";
  comb.trunks.push_back({{1, 2, 3, 4, 5}, 0});
  // Behind two trunk tokens, of which the trunk goes on with the first of the branch's four.
  comb.probes.push_back({0, 2, {3, 60, 61, 62}, 2, 1});
  // At the trunk's end: the target alone.
  comb.probes.push_back({0, 5, {70, 71}, 2, 2});
  comb.decisions = {{1, 0}, {3, 0}};
  const std::vector<model::CombSelection> selections = {{&comb, {0, 1}, false}};
  const auto batch = model::pack(selections, at::kCPU);
  // Rows: 1 2 3 4 5 | 60 61 62 | 70 71.
  ASSERT_EQ(batch.rows, 10);
  const auto targets = target_rows(batch, selections);
  EXPECT_EQ(targets.token, (std::vector<std::int64_t>{61, 62, 70, 71}));
  EXPECT_EQ(targets.row, (std::vector<std::int64_t>{5, 6, 4, 8}));
  EXPECT_EQ(targets.reply, (std::vector<bool>{false, true, true, true}));
}

// Costs of an item count what it predicts, and batches hold as many decisions as they should.
TEST(Replies, ItemsWeighWhatTheyPredict) {
  const auto combs = planner::testing::reply_combs(6, 2);
  const auto n = static_cast<std::int32_t>(combs[0].decisions.size());
  EXPECT_EQ(predicted_tokens(combs[0], {0, 1, 2}), combs[0].probes[1].target);
  const ItemCost without{1, 0, 0}, with{1, 0, 100};
  EXPECT_EQ(
      item_operations(combs[0], {0, 1, n}, with) - item_operations(combs[0], {0, 1, n}, without),
      100 * predicted_tokens(combs[0], {0, 1, n}));
  LearnConfig config = config_of(1000);
  config.batch = 7;
  for (const auto& batch : epoch_batches(combs, config, kWrites, 3, 0)) {
    std::int64_t decisions = 0;
    for (const auto& item : batch) decisions += item.count();
    EXPECT_LE(decisions, 7);
    EXPECT_GT(decisions, 0);
  }
}

}  // namespace
}  // namespace straq::learn
