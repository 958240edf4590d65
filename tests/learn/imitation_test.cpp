#include "learn/rewards/imitation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

using testing::imitation;

TEST(Imitation, ImitationMakesOneNegativePerExpertNeverTheExpertItself) {
  const auto combs = testing::random_combs(50, 11);
  LearnConfig config;
  const auto source = transitions_of(combs, config, 8, 3);
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

TEST(Imitation, AFractionalRatioIsMetOnAverage) {
  const auto combs = testing::random_combs(50, 11);
  LearnConfig config;
  imitation(config).neg.ratio = 1.25;
  const auto source = transitions_of(combs, config, 8, 3);
  std::int64_t negatives = 0, decisions = 0;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(combs.size()); ++c) {
    for (std::int32_t d = 0; d < static_cast<std::int32_t>(combs[c].decisions.size()); ++d) {
      for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
        std::vector<Transition> made, again;
        source(c, d, epoch, made);
        source(c, d, epoch, again);
        ASSERT_TRUE(made.size() == 2 || made.size() == 3);
        EXPECT_EQ(made.size(), again.size()) << "the same on every learner";
        negatives += static_cast<std::int64_t>(made.size()) - 1;
        ++decisions;
      }
    }
  }
  const auto n = static_cast<double>(decisions);
  EXPECT_NEAR(static_cast<double>(negatives) / n, 1.25, 4 * std::sqrt(0.25 * 0.75 / n));
}

// Nine in ten experts do 0, the others 1; strategies 2 to 7 never occur. With power 1 the negatives
// of a decision follow the experts' shares, with power 0.5 their square roots.
TEST(Imitation, NegativesFollowThePriorsPower) {
  auto combs = testing::random_combs(60, 11);
  int n = 0;
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = n++ % 10 == 0 ? 1 : 0;
  }
  LearnConfig config;
  imitation(config).neg.exclude_expert = false;
  for (const double power : {1.0, 0.5}) {
    imitation(config).neg.prior_power = power;
    const auto source = transitions_of(combs, config, 8, 3);
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
  imitation(config).neg.exclude_expert = true;
  const auto source = transitions_of(combs, config, 8, 3);
  for (std::int32_t c = 0; c < 60; ++c) {
    std::vector<Transition> made;
    source(c, 0, 0, made);
    EXPECT_EQ(made.at(1).action, 1 - made.at(0).action);
  }
}

// One strategy is all that experts ever do: weighing by how common actions are leaves no other one,
// but the negative must not be what it is to be told from.
TEST(Imitation, NegativesOfACorpusOfOneStrategyAreTheOthers) {
  auto combs = testing::random_combs(60, 11);
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = 3;
  }
  LearnConfig config;
  imitation(config).neg.prior_power = 1;
  for (const int strategies : {8, 4}) {
    const auto source = transitions_of(combs, config, strategies, 3);
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
  imitation(config).neg.exclude_expert = false;
  std::vector<Transition> made;
  transitions_of(combs, config, 8, 3)(0, 0, 0, made);
  EXPECT_EQ(made.at(1).action, 3);
}

TEST(Imitation, TwoStrategiesHaveOneNegativeAndOneHasNone) {
  auto combs = testing::random_combs(20, 11);
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold %= 2;
  }
  LearnConfig config;
  for (const double power : {0.0, 0.5, 1.0}) {
    imitation(config).neg.prior_power = power;
    const auto source = transitions_of(combs, config, 2, 3);
    for (std::int32_t c = 0; c < 20; ++c) {
      std::vector<Transition> made;
      source(c, 0, 0, made);
      EXPECT_EQ(made.at(1).action, 1 - made.at(0).action);
    }
  }
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.gold = 0;
  }
  EXPECT_THROW(transitions_of(combs, config, 1, 3), Error);
  imitation(config).neg.ratio = 0;
  std::vector<Transition> made;
  transitions_of(combs, config, 1, 3)(0, 0, 0, made);
  EXPECT_EQ(made.size(), 1u);
  imitation(config).neg.ratio = 1;
  imitation(config).neg.exclude_expert = false;
  made.clear();
  transitions_of(combs, config, 1, 3)(0, 0, 0, made);
  EXPECT_EQ(made.at(1).action, 0);
}

TEST(Imitation, NegativesAreRedrawnEachEpochOrFixed) {
  const auto combs = testing::random_combs(20, 5);
  LearnConfig config;
  auto actions = [&](Resample resample, std::int64_t epoch) {
    imitation(config).neg.resample = resample;
    std::vector<int> out;
    for (std::int32_t c = 0; c < 20; ++c) {
      std::vector<Transition> made;
      transitions_of(combs, config, 8, 1)(c, 0, epoch, made);
      out.push_back(made.at(1).action);
    }
    return out;
  };
  EXPECT_NE(actions(Resample::epoch, 0), actions(Resample::epoch, 1));
  EXPECT_EQ(actions(Resample::epoch, 1), actions(Resample::epoch, 1));
  EXPECT_EQ(actions(Resample::fixed, 0), actions(Resample::fixed, 1));
}

TEST(Imitation, SwitchesOfTheImitationReward) {
  const auto combs = testing::random_combs(1, 2);
  LearnConfig config;
  imitation(config).neg.next = NextState::terminal;
  imitation(config).neg.ratio = 3;
  std::vector<Transition> made;
  transitions_of(combs, config, 8, 1)(0, 0, 0, made);
  ASSERT_EQ(made.size(), 4u);
  EXPECT_TRUE(made[0].continues);
  EXPECT_FALSE(made[1].continues);
  config.terminal = Terminal::drop;
  made.clear();
  const auto last = static_cast<std::int32_t>(combs[0].decisions.size()) - 1;
  transitions_of(combs, config, 8, 1)(0, last, 0, made);
  EXPECT_TRUE(made.empty());
}

// The expected target under the expert's probability p, by enumeration of the two kinds of
// transitions, must be the closed form.
TEST(Imitation, ImitationOptimumIsTheMeanTarget) {
  for (double p : {0.05, 0.2, 0.5, 0.9}) {
    const double negative = (1 - p) / 7;
    const double enumerated = (p - negative) / (p + negative) + 0.85 * 2.0;
    EXPECT_NEAR(imitation_optimum(p, 8, 0.85, 2.0), enumerated, 1e-12);
    EXPECT_NEAR(imitation_optimum(p, 8, 0, 0), (8 * p - 1) / (6 * p + 1), 1e-12);
  }
}

TEST(Imitation, BoundsWhatItsRewardsAddUpTo) {
  ImitationReward reward;
  EXPECT_DOUBLE_EQ(reward.largest_return(0.75), 4);
  reward.neg.reward = -3;
  EXPECT_DOUBLE_EQ(reward.largest_return(0.75), 12);
  EXPECT_TRUE(std::isinf(reward.largest_return(1)));
}

}  // namespace
}  // namespace straq::learn
