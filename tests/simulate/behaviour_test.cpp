// The supporter's policy is a distribution everywhere, and the labels it gives are learnable within
// the stated band: far above the trivial baselines for who sees the latent state, far from certain.
#include "simulate/behaviour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

using straq::testing::error_of;

class BehaviourTest : public ::testing::Test {
 protected:
  SimulateConfig config = testing::shipped_config();
  dialogue::StrategySet strategies = testing::esconv_strategies();
  Dynamics dynamics{config.dynamics, strategies};
  BehaviourPolicy policy{config.behaviour, strategies};
};

TEST_F(BehaviourTest, IsADistributionInEveryStateAndNeverExcludesAStrategy) {
  for (int i = 0; i < dynamics.state_count(); ++i) {
    const State s = dynamics.state(i);
    if (s.terminal()) continue;
    const auto p = policy.probabilities(s);
    ASSERT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-12);
    for (double x : p) ASSERT_GE(x, config.behaviour.noise / 8 - 1e-12);
  }
}

TEST_F(BehaviourTest, FactorsAndNoiseApplyAsWritten) {
  BehaviourConfig c = config.behaviour;
  c.noise = 0.2;
  c.repeat_weight = 0.5;
  c.first = {{"Others", 3}};
  c.after = {{"Question", {{"Information", 4}}}};
  c.exploration.middle = {{"Question", 2}, {"Information", 1}, {"Others", 1}};
  const BehaviourPolicy p(c, strategies);
  const int question = 0, information = 6, others = 7;
  State s{Stage::exploration, 3, -1, 0, Outcome::ongoing};
  auto at = [&](int a) { return p.probabilities(s)[static_cast<std::size_t>(a)]; };
  EXPECT_NEAR(at(others), 0.8 * 3 / 6 + 0.2 / 8, 1e-12);  // first decision: Others tripled
  EXPECT_NEAR(at(1), 0.2 / 8, 1e-12);
  s = {Stage::exploration, 3, question, 2, Outcome::ongoing};
  EXPECT_NEAR(at(question), 0.8 * 1 / 6 + 0.2 / 8, 1e-12);  // repeated: halved
  EXPECT_NEAR(at(information), 0.8 * 4 / 6 + 0.2 / 8, 1e-12);
}

TEST_F(BehaviourTest, ShippedLabelsLieInTheStatedBand) {
  const BehaviourAnalysis e = analyse(dynamics, policy);
  EXPECT_GT(e.oracle_accuracy, 0.45);
  EXPECT_LT(e.oracle_accuracy, 0.60);
  EXPECT_NEAR(std::accumulate(e.shares.begin(), e.shares.end(), 0.0), 1, 1e-12);
  EXPECT_LT(*std::max_element(e.shares.begin(), e.shares.end()), 0.25);
  EXPECT_GT(*std::min_element(e.shares.begin(), e.shares.end()), 0.03);
  EXPECT_GT(e.decisions, 5);
  EXPECT_LT(e.decisions, 10);
  EXPECT_NEAR(e.outcomes[1] + e.outcomes[2] + e.outcomes[3], 1, 1e-12);
  for (int i = 1; i <= 3; ++i) EXPECT_GT(e.outcomes[static_cast<std::size_t>(i)], 0.01);
}

// One state, two equally good endings: everything can be worked out on paper. Leaving has
// probability 1/2 a step, at most two steps, so 1 + 1/2 decisions.
TEST_F(BehaviourTest, AnalysisMatchesAWorkedCase) {
  DynamicsConfig d = config.dynamics;
  d.max_turns = 2;
  d.start.intensity = {0, 0, 1, 0, 0};
  d.start.supporter_opens.clear();
  d.reward = {1, 0, 0, 0, -4, 10};
  for (auto& row : d.effects.exploration) row.second = {0, 0, 0, 0.5};
  BehaviourConfig b = config.behaviour;
  b.noise = 0.16;
  b.repeat_weight = 1;
  b.first = {};
  b.after = {};
  b.exploration.middle = {{"Question", 3}, {"Others", 1}};
  const BehaviourAnalysis e = analyse(Dynamics(d, strategies), BehaviourPolicy(b, strategies));
  EXPECT_NEAR(e.decisions, 1.5, 1e-12);
  EXPECT_NEAR(e.outcomes[2], 0.75, 1e-12);
  EXPECT_NEAR(e.outcomes[3], 0.25, 1e-12);
  EXPECT_NEAR(e.mean_return, 1.5 - 4 * 0.75 + 10 * 0.25, 1e-12);
  EXPECT_NEAR(e.oracle_accuracy, 0.84 * 0.75 + 0.02, 1e-12);
  EXPECT_NEAR(e.shares[7], 0.84 * 0.25 + 0.02, 1e-12);
  EXPECT_NEAR(e.shares[1], 0.02, 1e-12);
}

TEST_F(BehaviourTest, BadPreferencesAreRefusedByName) {
  BehaviourConfig c = config.behaviour;
  c.action.low = {{"Others", 0}};
  auto e = error_of([&] { BehaviourPolicy(c, strategies); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("behaviour.action.low"), std::string::npos);
  c = config.behaviour;
  c.after = {{"Questions asked", {}}};
  e = error_of([&] { BehaviourPolicy(c, strategies); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("behaviour.after"), std::string::npos);
}

}  // namespace
}  // namespace straq::simulate
