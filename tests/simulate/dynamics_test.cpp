// The table of dynamics is a proper finite decision process, its numbers mean what the header says,
// and sampling follows it.
#include "simulate/dynamics.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

using straq::testing::error_of;

double probability_of(const std::vector<Transition>& among, const State& next) {
  double p = 0;
  int times = 0;
  for (const auto& t : among) {
    if (t.next == next) {
      p += t.probability;
      ++times;
    }
  }
  EXPECT_LE(times, 1) << "a successor is listed twice";
  return p;
}

State ended(Outcome outcome, int intensity) {
  return {Stage::exploration, intensity, -1, 0, outcome};
}

class DynamicsTest : public ::testing::Test {
 protected:
  SimulateConfig config = testing::shipped_config();
  dialogue::StrategySet strategies = testing::esconv_strategies();
  Dynamics dynamics{config.dynamics, strategies};
};

TEST_F(DynamicsTest, EveryRowIsADistributionOverValidStates) {
  double start = 0;
  for (const auto& t : dynamics.start()) {
    start += t.probability;
    EXPECT_EQ(t.next.turn, 0);
    EXPECT_EQ(t.next.stage, Stage::exploration);
  }
  EXPECT_NEAR(start, 1, 1e-12);
  for (int i = 0; i < dynamics.state_count(); ++i) {
    const State s = dynamics.state(i);
    ASSERT_EQ(dynamics.index(s), i);
    for (int a = 0; a < dynamics.action_count(); ++a) {
      const auto next = dynamics.transition(s, a);
      if (s.terminal()) {
        EXPECT_TRUE(next.empty());
        continue;
      }
      double sum = 0;
      for (const auto& t : next) {
        ASSERT_GT(t.probability, 0);
        ASSERT_GE(t.next.intensity, 1);
        ASSERT_LE(t.next.intensity, intensity_levels);
        ASSERT_EQ(dynamics.state(dynamics.index(t.next)), t.next);
        if (!t.next.terminal()) {
          ASSERT_EQ(t.next.turn, s.turn + 1);
          ASSERT_EQ(t.next.previous, a);
          ASSERT_LT(t.next.turn, dynamics.max_turns());
        }
        sum += t.probability;
      }
      ASSERT_NEAR(sum, 1, 1e-12);
    }
  }
}

// Affirmation in the comforting stage at intensity 4, turn 2, worked by hand from a table of round
// numbers: leave .1; advance .5 * readiness .8 = .4; relief .4, upset .2; settle [1, .5, .25, 0,
// 0].
TEST_F(DynamicsTest, AStepMultipliesTheTablesNumbersAsDocumented) {
  DynamicsConfig c = config.dynamics;
  c.max_turns = 5;
  c.repeat_factor = 0.5;
  c.readiness = {1, 1, 1, 0.8, 0.5};
  c.settle = {1, 0.5, 0.25, 0, 0};
  const int a = *strategies.find("Affirmation and Reassurance");
  for (auto& [label, effect] : c.effects.comforting) {
    if (strategies.find(label) == a) effect = {0.5, 0.4, 0.2, 0.1};
  }
  const Dynamics d(c, strategies);
  const State s{Stage::comforting, 4, 0, 2, Outcome::ongoing};
  const auto next = d.transition(s, a);
  EXPECT_NEAR(probability_of(next, ended(Outcome::left, 4)), 0.1, 1e-12);
  EXPECT_NEAR(probability_of(next, {Stage::comforting, 3, a, 3, Outcome::ongoing}), 0.9 * 0.6 * 0.4,
              1e-12);
  EXPECT_NEAR(probability_of(next, {Stage::comforting, 4, a, 3, Outcome::ongoing}), 0.9 * 0.6 * 0.4,
              1e-12);
  EXPECT_NEAR(probability_of(next, {Stage::comforting, 5, a, 3, Outcome::ongoing}), 0.9 * 0.6 * 0.2,
              1e-12);
  EXPECT_NEAR(probability_of(next, {Stage::action, 3, a, 3, Outcome::ongoing}),
              0.9 * 0.4 * 0.4 * 0.75, 1e-12);
  EXPECT_NEAR(probability_of(next, ended(Outcome::settled, 3)), 0.9 * 0.4 * 0.4 * 0.25, 1e-12);
  EXPECT_NEAR(probability_of(next, {Stage::action, 5, a, 3, Outcome::ongoing}), 0.9 * 0.4 * 0.2,
              1e-12);
  // The same strategy as the turn before: advance and relief are halved.
  State repeated = s;
  repeated.previous = a;
  EXPECT_NEAR(
      probability_of(d.transition(repeated, a), {Stage::comforting, 3, a, 3, Outcome::ongoing}),
      0.9 * 0.8 * 0.2, 1e-12);
  // The last turn ends what has not ended otherwise.
  State last = s;
  last.turn = 4;
  double out_of_turns = 0;
  for (const auto& t : d.transition(last, a)) {
    EXPECT_TRUE(t.next.terminal());
    if (t.next.outcome == Outcome::out_of_turns) out_of_turns += t.probability;
  }
  EXPECT_NEAR(out_of_turns, 0.9 - 0.9 * 0.4 * 0.4 * 0.25, 1e-12);
}

TEST_F(DynamicsTest, IntensityStaysWithinOneAndFive) {
  const int a = *strategies.find("Question");
  const State calm{Stage::exploration, 1, -1, 0, Outcome::ongoing};
  const State overwhelmed{Stage::exploration, 5, -1, 0, Outcome::ongoing};
  for (const auto& t : dynamics.transition(calm, a)) EXPECT_LE(t.next.intensity, 2);
  for (const auto& t : dynamics.transition(overwhelmed, a)) EXPECT_GE(t.next.intensity, 4);
}

TEST_F(DynamicsTest, RewardsAddUp) {
  DynamicsConfig c = config.dynamics;
  c.reward = {-0.25, 2, 0.5, 10, -7, -3};
  const Dynamics d(c, strategies);
  const State s{Stage::exploration, 4, -1, 0, Outcome::ongoing};
  EXPECT_DOUBLE_EQ(d.reward(s, 0, {Stage::comforting, 3, 0, 1, Outcome::ongoing}), -0.25 + 2 + 0.5);
  EXPECT_DOUBLE_EQ(d.reward(s, 0, {Stage::exploration, 5, 0, 1, Outcome::ongoing}), -0.25 - 2);
  EXPECT_DOUBLE_EQ(d.reward(s, 0, ended(Outcome::settled, 3)), -0.25 + 2 + 10);
  EXPECT_DOUBLE_EQ(d.reward(s, 0, ended(Outcome::left, 4)), -0.25 - 7);
  EXPECT_DOUBLE_EQ(d.reward(s, 0, ended(Outcome::out_of_turns, 4)), -0.25 - 3);
  double expected = 0;
  for (const auto& t : d.transition(s, 3)) expected += t.probability * d.reward(s, 3, t.next);
  EXPECT_DOUBLE_EQ(d.reward(s, 3), expected);
  EXPECT_EQ(d.reward(ended(Outcome::left, 4), 3), 0);
}

// Pearson's chi-square of 40,000 sampled steps; 1e-4 critical values are below 40 for the at most
// 13 successors (12 degrees of freedom: 39.1).
TEST_F(DynamicsTest, SampledStepsFollowTheTable) {
  const int n = 40000;
  const State states[] = {{Stage::exploration, 5, 0, 0, Outcome::ongoing},
                          {Stage::comforting, 3, 3, 4, Outcome::ongoing},
                          {Stage::action, 2, -1, 1, Outcome::ongoing}};
  CounterRng rng(7, "dynamics-test");
  for (const State& s : states) {
    for (int a = 0; a < dynamics.action_count(); ++a) {
      const auto next = dynamics.transition(s, a);
      std::map<int, int> counts;
      for (int i = 0; i < n; ++i) ++counts[dynamics.index(dynamics.step(s, a, rng))];
      double chi = 0;
      int seen = 0;
      for (const auto& t : next) {
        const double expected = n * t.probability;
        const int count = counts[dynamics.index(t.next)];
        seen += count;
        chi += (count - expected) * (count - expected) / expected;
      }
      EXPECT_EQ(seen, n) << "a step led outside its successors";
      EXPECT_LT(chi, 40) << name(s.stage) << " " << strategies[a].name;
    }
  }
}

TEST_F(DynamicsTest, BadTablesAreRefusedByName) {
  auto message = [&](auto&& change) {
    DynamicsConfig c = config.dynamics;
    change(c);
    const auto e = error_of([&] { Dynamics(c, strategies); });
    return e ? e->full() : std::string();
  };
  EXPECT_NE(message([](auto& c) {
              c.effects.exploration.pop_back();
            }).find("exploration: no row for the strategy \"Others\""),
            std::string::npos);
  const std::string unknown = message([](auto& c) { c.effects.action[0].first = "Qestion"; });
  EXPECT_NE(unknown.find("unknown strategy \"Qestion\"; did you mean \"Question\"?"),
            std::string::npos)
      << unknown;
  EXPECT_NE(message([](auto& c) {
              c.effects.action.push_back(c.effects.action[0]);
            }).find("has two rows"),
            std::string::npos);
  EXPECT_NE(
      message([](auto& c) { c.effects.comforting[0].second.relief = 0.95; }).find("relief + upset"),
      std::string::npos);
  EXPECT_NE(
      message([](auto& c) { c.effects.action[0].second.advance = 0.1; }).find("advance must be 0"),
      std::string::npos);
  EXPECT_NE(message([](auto& c) { c.settle.pop_back(); }).find("dynamics.settle"),
            std::string::npos);
  EXPECT_NE(message([](auto& c) {
              c.start.intensity = {0, 0, 0, 0, 0};
            }).find("all weights"),
            std::string::npos);
}

}  // namespace
}  // namespace straq::simulate
