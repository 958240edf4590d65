#include "learn/td.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/error.h"
#include "planner/readout.h"
#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

TEST(Td, WorkedNumbersOfEachReadout) {
  // The state's and the next state's logits are the same vector; action 1, r = 3, gamma = 0.85.
  const auto logits =
      at::tensor({18.0, 17.0, 15.5, 16.0, 17.5, 16.5, 14.0, 15.0}, at::kDouble).unsqueeze(0);
  const auto z = at::logsumexp(at::cat({logits, at::full({1, 1000}, 8.0, at::kDouble)}, 1), {1});
  struct Case {
    planner::Readout readout;
    double y, q, loss;
  };
  const Case cases[] = {
      {planner::Readout::mean_logit, 18.3, 17, 1.69},
      {planner::Readout::vocab_prob, 3.336172583707, 0.145495273213, 10.180421699701},
      {planner::Readout::vocab_logprob, 2.211530072507, -1.927611679404, 17.132494442409}};
  for (const auto& c : cases) {
    const auto q = planner::q_from_logits(c.readout, logits, z);
    const auto reward = at::full({1}, 3.0, at::kDouble), continues = at::ones({1}, at::kDouble);
    const auto y = td_targets(reward, next_values(Backup::max, q, {}, {}), continues, 0.85);
    const auto chosen = q.select(1, 1);
    EXPECT_NEAR(y.item<double>(), c.y, 1e-11);
    EXPECT_NEAR(chosen.item<double>(), c.q, 1e-11);
    EXPECT_NEAR(td_loss_sum(LossKind::mse, chosen, y, 1).item<double>(), c.loss, 1e-10);
  }
}

TEST(Td, TerminalDecisionLearnsItsRewardAlone) {
  const auto y = td_targets(at::full({1}, 2.0), at::full({1}, 100.0), at::zeros({1}), 0.85);
  EXPECT_FLOAT_EQ(y.item<float>(), 2.0f);
}

TEST(Td, BackupsTakeTheirOwnNextAction) {
  const auto target = at::tensor({1.0, 5.0, 3.0}, at::kDouble).unsqueeze(0);
  const auto online = at::tensor({9.0, 0.0, 1.0}, at::kDouble).unsqueeze(0);
  const auto next = at::tensor({2}, at::kLong);
  EXPECT_EQ(next_values(Backup::max, target, online, next).item<double>(), 5.0);
  EXPECT_EQ(next_values(Backup::double_q, target, online, next).item<double>(), 1.0);
  EXPECT_EQ(next_values(Backup::sarsa, target, online, next).item<double>(), 3.0);
}

TEST(Td, HuberIsQuadraticInsideAndLinearOutside) {
  const auto q = at::tensor({0.0, 0.0}, at::kDouble), y = at::tensor({0.5, 3.0}, at::kDouble);
  EXPECT_NEAR(td_loss_sum(LossKind::huber, q, y, 1).item<double>(), 0.125 + 2.5, 1e-12);
}

TEST(Td, ImitationMakesOneNegativePerExpertNeverTheExpertItself) {
  const auto combs = testing::random_combs(50, 11);
  LearnConfig config;
  const auto source = imitation_transitions(combs, config, 8, 3);
  std::map<int, int> drawn;
  int total = 0;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(combs.size()); ++c) {
    for (std::int32_t d = 0; d < static_cast<std::int32_t>(combs[c].decisions.size()); ++d) {
      for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
        std::vector<Transition> made;
        source(c, d, epoch, made);
        ASSERT_EQ(made.size(), 2u);
        const auto& decision = combs[c].decisions[d];
        EXPECT_EQ(made[0].action, decision.gold);
        EXPECT_EQ(made[0].reward, 1);
        EXPECT_NE(made[1].action, decision.gold);
        EXPECT_EQ(made[1].reward, -1);
        EXPECT_EQ(made[0].continues, !decision.terminal);
        EXPECT_EQ(made[1].continues, !decision.terminal);  // the same observed next state
        ++drawn[(made[1].action - decision.gold + 8) % 8];
        ++total;
      }
    }
  }
  // Uniform over the seven others: 1/7 within four standard errors.
  for (int k = 1; k < 8; ++k) {
    EXPECT_NEAR(drawn[k] / static_cast<double>(total), 1.0 / 7, 4 * std::sqrt(6.0 / 49 / total));
  }
}

// Nine in ten experts do 0, the others 1; strategies 2 to 7 never occur. With power 1 the negatives
// of a decision follow the experts' shares, with power 0.5 their square roots.
TEST(Td, NegativesFollowThePriorsPower) {
  auto combs = testing::random_combs(60, 11);
  int n = 0;
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = n++ % 10 == 0 ? 1 : 0;
  }
  LearnConfig config;
  config.neg.exclude_expert = false;
  for (const double power : {1.0, 0.5}) {
    config.neg.prior_power = power;
    const auto source = imitation_transitions(combs, config, 8, 3);
    std::map<int, int> drawn;
    int total = 0;
    for (std::int32_t c = 0; c < static_cast<std::int32_t>(combs.size()); ++c) {
      for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
        std::vector<Transition> made;
        source(c, 0, epoch, made);
        ++drawn[made.at(1).action];
        ++total;
      }
    }
    const double zero = std::pow(0.9, power) / (std::pow(0.9, power) + std::pow(0.1, power));
    EXPECT_NEAR(drawn[0] / static_cast<double>(total), zero, 0.06);
    EXPECT_EQ(drawn[0] + drawn[1], total);
  }
  // Never the expert's own action where it is excluded.
  config.neg.exclude_expert = true;
  const auto source = imitation_transitions(combs, config, 8, 3);
  for (std::int32_t c = 0; c < 60; ++c) {
    std::vector<Transition> made;
    source(c, 0, 0, made);
    EXPECT_EQ(made.at(1).action, 1 - made.at(0).action);
  }
}

// One strategy is all that experts ever do: weighing by how common actions are leaves no other one,
// but the negative must not be what it is to be told from.
TEST(Td, NegativesOfACorpusOfOneStrategyAreTheOthers) {
  auto combs = testing::random_combs(60, 11);
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = 3;
  }
  LearnConfig config;
  config.neg.prior_power = 1;
  for (const int strategies : {8, 4}) {
    const auto source = imitation_transitions(combs, config, strategies, 3);
    std::map<int, int> drawn;
    int total = 0;
    for (std::int32_t c = 0; c < 60; ++c) {
      for (std::int64_t epoch = 0; epoch < 20; ++epoch, ++total) {
        std::vector<Transition> made;
        source(c, 0, epoch, made);
        ++drawn[made.at(1).action];
      }
    }
    EXPECT_EQ(drawn[3], 0);
    for (int a = 0; a < strategies; ++a) {
      if (a == 3) continue;
      EXPECT_NEAR(drawn[a] / static_cast<double>(total), 1.0 / (strategies - 1), 0.06) << a;
    }
  }
  // Not excluded, the expert's own action is the only one that is ever drawn.
  config.neg.exclude_expert = false;
  std::vector<Transition> made;
  imitation_transitions(combs, config, 8, 3)(0, 0, 0, made);
  EXPECT_EQ(made.at(1).action, 3);
}

TEST(Td, TwoStrategiesHaveOneNegativeAndOneHasNone) {
  auto combs = testing::random_combs(20, 11);
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold %= 2;
  }
  LearnConfig config;
  for (const double power : {0.0, 0.5, 1.0}) {
    config.neg.prior_power = power;
    const auto source = imitation_transitions(combs, config, 2, 3);
    for (std::int32_t c = 0; c < 20; ++c) {
      std::vector<Transition> made;
      source(c, 0, 0, made);
      EXPECT_EQ(made.at(1).action, 1 - made.at(0).action);
    }
  }
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = 0;
  }
  EXPECT_THROW(imitation_transitions(combs, config, 1, 3), Error);
  config.neg.ratio = 0;
  std::vector<Transition> made;
  imitation_transitions(combs, config, 1, 3)(0, 0, 0, made);
  EXPECT_EQ(made.size(), 1u);
  config.neg.ratio = 1;
  config.neg.exclude_expert = false;
  made.clear();
  imitation_transitions(combs, config, 1, 3)(0, 0, 0, made);
  EXPECT_EQ(made.at(1).action, 0);
}

TEST(Td, NegativesAreRedrawnEachEpochOrFixed) {
  const auto combs = testing::random_combs(20, 5);
  LearnConfig config;
  auto actions = [&](Resample resample, std::int64_t epoch) {
    config.neg.resample = resample;
    std::vector<int> out;
    for (std::int32_t c = 0; c < 20; ++c) {
      std::vector<Transition> made;
      imitation_transitions(combs, config, 8, 1)(c, 0, epoch, made);
      out.push_back(made.at(1).action);
    }
    return out;
  };
  EXPECT_NE(actions(Resample::epoch, 0), actions(Resample::epoch, 1));
  EXPECT_EQ(actions(Resample::epoch, 1), actions(Resample::epoch, 1));
  EXPECT_EQ(actions(Resample::fixed, 0), actions(Resample::fixed, 1));
}

TEST(Td, SwitchesOfTheImitationReward) {
  const auto combs = testing::random_combs(1, 2);
  LearnConfig config;
  config.neg.next = NextState::terminal;
  config.neg.ratio = 3;
  std::vector<Transition> made;
  imitation_transitions(combs, config, 8, 1)(0, 0, 0, made);
  ASSERT_EQ(made.size(), 4u);
  EXPECT_TRUE(made[0].continues);
  EXPECT_FALSE(made[1].continues);
  config.terminal = Terminal::drop;
  made.clear();
  const auto last = static_cast<std::int32_t>(combs[0].decisions.size()) - 1;
  imitation_transitions(combs, config, 8, 1)(0, last, 0, made);
  EXPECT_TRUE(made.empty());
}

// The expected target under the expert's probability p, by enumeration of the two kinds of
// transitions, must be the closed form.
TEST(Td, ImitationOptimumIsTheMeanTarget) {
  for (double p : {0.05, 0.2, 0.5, 0.9}) {
    const double negative = (1 - p) / 7;
    const double enumerated = (p - negative) / (p + negative) + 0.85 * 2.0;
    EXPECT_NEAR(imitation_optimum(p, 8, 0.85, 2.0), enumerated, 1e-12);
    EXPECT_NEAR(imitation_optimum(p, 8, 0, 0), (8 * p - 1) / (6 * p + 1), 1e-12);
  }
}

}  // namespace
}  // namespace straq::learn
