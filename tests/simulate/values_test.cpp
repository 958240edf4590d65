// Exact values: by hand, against brute force and sampling, in the order that they must have; and
// the shipped world, in which planning matters.
#include "simulate/values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <sstream>

#include "core/files/files.h"
#include "simulate/corpus.h"
#include "simulate/fixed_plan.h"
#include "simulate/play.h"
#include "simulate/point_based.h"
#include "simulate/value_report.h"
#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

using straq::testing::error_of;

SimulateConfig planning_config() {
  auto config = config::read<SimulateConfig>(
      config::load_config(straq::testing::source_path("configs/simulate/planning.yaml")));
  config.strategies = straq::testing::source_path(config.strategies);
  for (auto& file : config.phrases) file = straq::testing::source_path(file);
  return config;
}

// Two turns, everybody starts at intensity 1 in exploration, the seeker begins; nothing moves
// unless a test says so.
DynamicsConfig still_world(const DynamicsConfig& shipped) {
  DynamicsConfig d = shipped;
  d.max_turns = 2;
  d.repeat_factor = 1;
  d.readiness = {1, 1, 1, 1, 1};
  d.settle = {0, 0, 0, 0, 0};
  d.start.intensity = {0, 0, 1, 0, 0};
  d.start.supporter_opens.clear();
  d.reward = {0, 0, 0, 0, 0, 0};
  for (auto* rows : {&d.effects.exploration, &d.effects.comforting, &d.effects.action}) {
    for (auto& row : *rows) row.second = {0, 0, 0, 0};
  }
  return d;
}

void set(EffectTable::Row& rows, const std::string& name, Effect effect) {
  for (auto& row : rows) {
    if (row.first == name) row.second = effect;
  }
}

class ValuesTest : public ::testing::Test {
 protected:
  SimulateConfig config = planning_config();
  dialogue::StrategySet strategies = testing::esconv_strategies();
  Dynamics dynamics{config.dynamics, strategies};
  BehaviourPolicy supporter{config.behaviour, strategies};
  int at(const char* name) const { return *strategies.find(name); }
};

// Relief pays 1 at once with probability 1/2. A question pays nothing and leads to comforting with
// certainty, where suggestions bring relief with certainty and, later, where nothing else pays.
// With gamma: reassure twice is worth 1/2 + g/2; ask, then suggest is worth g.
TEST_F(ValuesTest, AreThoseWorkedOutByHand) {
  DynamicsConfig d = still_world(config.dynamics);
  d.reward.relief = 1;
  set(d.effects.exploration, "Affirmation and Reassurance", {0, 0.5, 0, 0});
  set(d.effects.exploration, "Question", {1, 0, 0, 0});
  set(d.effects.comforting, "Providing Suggestions", {0, 1, 0, 0});
  const Dynamics world(d, strategies);
  const State start{Stage::exploration, 3, -1, 0, Outcome::ongoing};
  const int soothe = at("Affirmation and Reassurance"), ask = at("Question");
  for (const double gamma : {0.0, 0.5, 0.9, 1.0}) {
    const Values best = optimal_values(world, gamma);
    EXPECT_NEAR(best.q(start, soothe), 0.5 + gamma * 0.5, 1e-12) << gamma;
    EXPECT_NEAR(best.q(start, ask), gamma * 1.0, 1e-12) << gamma;
    EXPECT_NEAR(best.q(start, at("Others")), gamma * 0.5, 1e-12) << gamma;
    EXPECT_NEAR(best.value(start), std::max(0.5 + gamma * 0.5, gamma), 1e-12);
    if (gamma < 1) {
      EXPECT_EQ(best.best(start), soothe);
    }
    EXPECT_NEAR(start_value(world, best), best.value(start), 1e-12);
  }
  // Who draws all strategies alike: in exploration 1/8 of 1/2 at each step, and 1/8 leads on to
  // where 1/8 pays 1.
  const Values alike = policy_values(world, uniform_policy(world), 0.5);
  EXPECT_NEAR(start_value(world, alike), 0.0625 + 0.5 * (7.0 / 8 * 0.0625 + 1.0 / 8 * 0.125),
              1e-12);
  // Another reward over the same moves: one for each question.
  const auto asked = [&](const State&, int a, const State&) { return a == ask ? 1.0 : 0.0; };
  EXPECT_NEAR(optimal_values(world, 0.5, asked).value(start), 1.5, 1e-12);
  EXPECT_TRUE(error_of([&] { optimal_values(world, 1.1); }));
  EXPECT_TRUE(error_of([&] { optimal_values(world, -0.1); }));
}

// Every deterministic policy of a small world, played out by recursion over the tree of what can
// happen, which shares no code with the dynamic program.
TEST_F(ValuesTest, EqualTheBestOfAllCoursesByBruteForce) {
  DynamicsConfig d = config.dynamics;
  d.max_turns = 3;
  const Dynamics world(d, strategies);
  const double gamma = 0.9;
  std::function<double(const State&)> tree = [&](const State& s) -> double {
    if (s.terminal()) return 0;
    double most = -1e300;
    for (int a = 0; a < world.action_count(); ++a) {
      double sum = 0;
      for (const auto& t : world.transition(s, a)) {
        sum += t.probability * (world.reward(s, a, t.next) + gamma * tree(t.next));
      }
      most = std::max(most, sum);
    }
    return most;
  };
  const Values best = optimal_values(world, gamma);
  for (const auto& t : world.start()) EXPECT_NEAR(best.value(t.next), tree(t.next), 1e-9);
  // And no policy of a few thousand drawn at random does better anywhere.
  CounterRng rng(5, "policies");
  for (int i = 0; i < 20; ++i) {
    std::vector<int> table(static_cast<std::size_t>(world.state_count()));
    for (int& a : table) a = static_cast<int>(rng.below(8));
    const Values v = policy_values(
        world,
        [&](const State& s) {
          std::vector<double> p(8, 0);
          p[static_cast<std::size_t>(table[static_cast<std::size_t>(world.index(s))])] = 1;
          return p;
        },
        gamma);
    for (int k = 0; k < world.state_count(); ++k) {
      ASSERT_LE(v.value(world.state(k)), best.value(world.state(k)) + 1e-12);
    }
  }
}

TEST_F(ValuesTest, OfTheSupporterAreThoseOfTheAnalysisAndOfItsDialogues) {
  const Values v = policy_values(dynamics, supporter_policy(supporter), 1);
  EXPECT_NEAR(start_value(dynamics, v), analyse(dynamics, supporter).mean_return, 1e-10);
  const Simulator simulator(config);
  std::vector<double> returns;
  for (int i = 0; i < 4000; ++i) {
    double sum = 0;
    for (const auto& t : simulator.generate("train", i).trace) sum += t.reward;
    returns.push_back(sum);
  }
  const Mean mean = mean_of(returns);
  EXPECT_NEAR(mean.value, start_value(dynamics, v), 4 * mean.standard_error);
  EXPECT_LT(mean.standard_error, 0.1);
}

TEST_F(ValuesTest, VisitsAreThoseOfTheDialogues) {
  const auto mass = visits(dynamics, supporter_policy(supporter));
  double ongoing = 0, ended = 0;
  for (int i = 0; i < dynamics.state_count(); ++i) {
    (dynamics.state(i).terminal() ? ended : ongoing) += mass[static_cast<std::size_t>(i)];
  }
  EXPECT_NEAR(ended, 1, 1e-12);
  EXPECT_NEAR(ongoing, analyse(dynamics, supporter).decisions, 1e-10);
}

// The reason for this world: the greatest reward at once and the supporter's own habits, drawn or
// at their likeliest, are each at least 15 % below the best course.
TEST_F(ValuesTest, PlanningMattersInTheShippedWorld) {
  const Values best = optimal_values(dynamics, 1);
  const double optimum = start_value(dynamics, best);
  ASSERT_GT(optimum, 1);
  const auto share = [&](const StatePolicy& policy) {
    return start_value(dynamics, policy_values(dynamics, policy, 1)) / optimum;
  };
  const Values greedy = optimal_values(dynamics, 0);
  EXPECT_LT(share(greedy_policy(greedy)), 0.85);
  EXPECT_LT(share(supporter_policy(supporter)), 0.85);
  EXPECT_LT(share(likeliest_policy(supporter)), 0.85);
  EXPECT_LT(share(uniform_policy(dynamics)), share(supporter_policy(supporter)));
  EXPECT_NEAR(share(greedy_policy(best)), 1, 1e-12);
  // A longer view is worth more, up to the end.
  double before = share(greedy_policy(greedy));
  for (const double gamma : {0.5, 0.85, 0.95}) {
    const Values values = optimal_values(dynamics, gamma);
    const double now = share(greedy_policy(values));
    EXPECT_GT(now, before) << gamma;
    before = now;
  }
}

// A plan that listens to nothing: brute force over all sequences of a short world.
TEST_F(ValuesTest, TheFixedPlanIsTheBestOfAllSequences) {
  DynamicsConfig d = config.dynamics;
  d.max_turns = 3;
  const Dynamics world(d, strategies);
  const FixedPlan plan = best_fixed_plan(world, 0.9);
  ASSERT_EQ(plan.sequences.size(), 3u);  // the seeker begins, or one of two openings
  double total = 0;
  for (int opening : {-1, at("Question"), at("Others")}) {
    double most = -1e300;
    std::array<int, 3> argmax{};
    for (int code = 0; code < 512; ++code) {
      const std::array<int, 3> sequence = {code % 8, code / 8 % 8, code / 64};
      const Values v = policy_values(
          world,
          [&](const State& s) {
            std::vector<double> p(8, 0);
            p[static_cast<std::size_t>(sequence[static_cast<std::size_t>(s.turn)])] = 1;
            return p;
          },
          0.9);
      double sum = 0;
      for (const auto& t : world.start()) {
        if (t.next.previous == opening) sum += t.probability * v.value(t.next);
      }
      if (sum > most) most = sum, argmax = sequence;
    }
    total += most;
    for (int turn = 0; turn < 3; ++turn) {
      EXPECT_EQ(plan.action(opening, turn), argmax[static_cast<std::size_t>(turn)]);
    }
  }
  EXPECT_NEAR(plan.value, total, 1e-10);
}

// In order of what they see: nothing, the words, the state.
TEST_F(ValuesTest, WhoSeesMoreEarnsMore) {
  const Simulator simulator(config);
  const Values best = optimal_values(dynamics, 1);
  const double optimum = start_value(dynamics, best);
  const FixedPlan plan = best_fixed_plan(dynamics, 1);
  const PointBasedPolicy points(simulator, 1);
  PlayOptions options;
  options.dialogues = 1500;
  options.threads = 2;
  const Played qmdp =
      play(simulator, best,
           by_belief(simulator, [&](const Belief& b) { return qmdp_choice(best, b); }), options);
  const Played based =
      play(simulator, best, by_belief(simulator, [&](const Belief& b) { return points.choice(b); }),
           options);
  const Mean a = mean_of(qmdp.by_advantage), b = mean_of(based.by_advantage);
  std::printf(
      "optimum %.4f plan %.4f (%lld) qmdp %.4f±%.4f point-based %.4f±%.4f in [%.4f, %.4f]\n",
      optimum, plan.value, static_cast<long long>(plan.expanded), a.value, a.standard_error,
      b.value, b.standard_error, points.lower_bound(), points.upper_bound());
  EXPECT_LT(plan.value, a.value - 4 * a.standard_error);
  EXPECT_LT(plan.value, b.value - 4 * b.standard_error);
  EXPECT_LT(a.value, optimum - 4 * a.standard_error);
  EXPECT_LT(b.value, optimum - 4 * b.standard_error);
  EXPECT_GE(b.value, points.lower_bound() - 4 * b.standard_error);
  EXPECT_GE(b.value, a.value - 3 * (a.standard_error + b.standard_error));
}

TEST_F(ValuesTest, AreWrittenBesideTheCorpusAndGoWithIt) {
  straq::testing::TemporaryFolder folder;
  SimulateConfig small = config;
  small.dialogues = {3, 0, 0};
  write_corpus(small, folder.path());
  const Simulator simulator(small);
  ValueOptions options;
  options.gammas = {0, 0.85};
  options.play.dialogues = 60;
  const ValueReport report = value_report(simulator, options);
  write_values(simulator, report, folder.path());
  const auto j = nlohmann::json::parse(read_file(folder.path("values.json")));
  const Values best = optimal_values(dynamics, 1);
  EXPECT_EQ(j["format"], "straq-simulated-values");
  EXPECT_NEAR(j["policies"]["optimum"]["return"], start_value(dynamics, best), 1e-12);
  EXPECT_EQ(j["policies"]["optimum"]["share"], 1);
  EXPECT_FALSE(j["policies"]["supporter"].contains("standard_error"));
  EXPECT_GT(j["policies"]["qmdp"]["standard_error"], 0);
  EXPECT_EQ(j["policies"].size(), 8u);
  EXPECT_EQ(j["policies"][j["reference"].get<std::string>()]["sees"], "words");
  EXPECT_LT(j["words"]["lower"], j["words"]["upper"]);
  // A line a state that dialogues can reach, with the values of that discount.
  const auto reached = visits(dynamics, uniform_policy(dynamics));
  const Values shorter = optimal_values(dynamics, 0.85);
  std::istringstream lines(read_file(folder.path("values/gamma-0.85.jsonl")));
  int n = 0;
  double visited = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const auto row = nlohmann::json::parse(line);
    State s;
    for (int g = 0; g < stage_count; ++g) {
      if (row["stage"] == name(static_cast<Stage>(g))) s.stage = static_cast<Stage>(g);
    }
    s.intensity = row["intensity"];
    s.turn = row["turn"];
    s.previous = row["previous"].is_null() ? -1 : *strategies.find(row["previous"]);
    ASSERT_EQ(row["value"].get<double>(), shorter.value(s)) << line;
    ASSERT_EQ(row["best"], strategies[shorter.best(s)].name) << line;
    ASSERT_EQ(row["q"].size(), 8u);
    ASSERT_EQ(row["q"][3].get<double>(), shorter.q(s, 3)) << line;
    visited += row["visits"].get<double>();
  }
  int ongoing = 0;
  for (int i = 0; i < dynamics.state_count(); ++i) {
    ongoing += !dynamics.state(i).terminal() && reached[static_cast<std::size_t>(i)] > 0;
  }
  EXPECT_EQ(n, ongoing);
  EXPECT_NEAR(visited, analyse(dynamics, supporter).decisions, 1e-9);
  EXPECT_FALSE(read_file(folder.path("values/gamma-0.jsonl")).empty());
  // Values of a corpus that is made anew are not those of the older one.
  write_corpus(small, folder.path());
  EXPECT_FALSE(std::filesystem::exists(folder.path("values.json")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("values")));
}

}  // namespace
}  // namespace straq::simulate
