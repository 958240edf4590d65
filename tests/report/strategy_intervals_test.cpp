// Intervals by strategy on counts whose draws can be told by hand, and against scoring the drawn
// decisions anew.
#include "report/rows/strategy_intervals.h"

#include <gtest/gtest.h>

namespace straq::report {
namespace {

using metrics::CountMatrix;

// A dialogue in which `gold` comes n times and `chosen` is chosen each time.
CountMatrix dialogue_of(int strategies, int gold, int chosen, int n) {
  CountMatrix m(strategies);
  m.at(gold, chosen) = n;
  return m;
}

metrics::BootstrapOptions draws(int replicates) {
  metrics::BootstrapOptions b;
  b.replicates = replicates;
  return b;
}

TEST(StrategyIntervals, ADialogueThatIsAllRightOrAllWrongCountsOnce) {
  // Two dialogues right and two wrong: none of four drawn ones is right in 1 of 16 draws, more than
  // the 2.5 % below the interval.
  std::vector<CountMatrix> list;
  for (int d = 0; d < 4; ++d) list.push_back(dialogue_of(2, 0, d / 2, 5));
  const auto found = intervals_by_strategy(list, draws(4000));
  ASSERT_EQ(found.size(), 2u);
  ASSERT_TRUE(found[0].recall && found[0].f1);
  EXPECT_DOUBLE_EQ(found[0].recall->low, 0);
  EXPECT_DOUBLE_EQ(found[0].recall->high, 1);
  EXPECT_DOUBLE_EQ(found[0].f1->low, 0);
  EXPECT_DOUBLE_EQ(found[0].f1->high, 1);
  const auto wilson = metrics::wilson(10, 20);
  EXPECT_LT(found[0].recall->low, wilson.low);
  EXPECT_GT(found[0].recall->high, wilson.high);
  // Nobody was asked about the other strategy, which is chosen but never right; and it is never
  // taken for another, so that B rests on a guard in every draw.
  EXPECT_FALSE(found[1].recall || found[1].f1);
  EXPECT_FALSE(found[0].preference || found[1].preference);
}

TEST(StrategyIntervals, DrawsWithoutTheStrategyAreLeftOutAndTooManyOfThemAreNoInterval) {
  // Of 8 dialogues, strategy 0 is in one, strategy 1 in three, strategy 2 in all: a draw has none
  // of a strategy in (7/8)^8 = 34 %, (5/8)^8 = 2.3 % and 0 % of the cases.
  std::vector<CountMatrix> list;
  for (int d = 0; d < 8; ++d) {
    auto m = dialogue_of(3, 2, d < 4 ? 2 : 1, 1);
    if (d == 0) m.at(0, 0) = 3;
    if (d < 3) m.at(1, 1) = 2;
    list.push_back(m);
  }
  const auto found = intervals_by_strategy(list, draws(4000));
  EXPECT_FALSE(found[0].recall || found[0].f1);
  ASSERT_TRUE(found[1].recall && found[1].f1 && found[2].recall);
  // Always right where it is at all: the draws without it do not pull it down to 0.
  EXPECT_DOUBLE_EQ(found[1].recall->low, 1);
  EXPECT_DOUBLE_EQ(found[1].recall->high, 1);
  EXPECT_LT(found[1].f1->low, found[1].f1->high);
  // 4 of 8 right: a binomial of which 0.4 % have none, 3.5 % at most one.
  EXPECT_DOUBLE_EQ(found[2].recall->low, 0.125);
  EXPECT_DOUBLE_EQ(found[2].recall->high, 0.875);
}

TEST(StrategyIntervals, OneDialogueSaysNothing) {
  EXPECT_TRUE(intervals_by_strategy({}, draws(10)).empty());
  const std::vector<CountMatrix> one = {dialogue_of(2, 0, 0, 5)};
  const auto found = intervals_by_strategy(one, draws(10));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_FALSE(found[0].recall || found[0].f1 || found[0].preference);
}

TEST(StrategyIntervals, AreThoseOfScoringTheDrawnDecisionsAnew) {
  constexpr int kDialogues = 12, kDecisions = 10, kStrategies = 4;
  std::mt19937_64 random(5);
  std::vector<std::vector<metrics::Prediction>> rows(kDialogues);
  std::vector<metrics::Prediction> all;
  for (int d = 0; d < kDialogues; ++d) {
    for (int i = 0; i < kDecisions; ++i) {
      metrics::Prediction p;
      p.dialogue = "d" + std::to_string(d);
      p.index = i;
      p.gold = static_cast<int>(metrics::index_below(random(), kStrategies));
      p.chosen = static_cast<int>(metrics::index_below(random(), kStrategies));
      rows[static_cast<std::size_t>(d)].push_back(p);
      all.push_back(p);
    }
  }
  metrics::StrategyOptions o;
  o.strategies = kStrategies;
  const auto b = draws(1000);
  const auto found = intervals_by_strategy(metrics::counts_by_dialogue(all, o), b);
  std::vector<std::vector<double>> recall(kStrategies), f1(kStrategies), preference(kStrategies);
  metrics::cluster_bootstrap(kDialogues, b, [&](std::span<const std::uint32_t> drawn) {
    std::vector<metrics::Prediction> sample;
    for (const auto d : drawn) sample.insert(sample.end(), rows[d].begin(), rows[d].end());
    const auto r = metrics::strategy_report(sample, o);
    for (std::size_t s = 0; s < kStrategies; ++s) {
      recall[s].push_back(r.recall[s]);
      f1[s].push_back(r.f1[s]);
      if (!r.bt_degenerate) preference[s].push_back(r.preference[s]);
    }
    return 0.0;
  });
  for (std::size_t s = 0; s < kStrategies; ++s) {
    const auto same = [&](const std::optional<metrics::Interval>& got,
                          const std::vector<double>& replicates) {
      ASSERT_TRUE(got);
      const auto want = metrics::percentile_interval(replicates);
      EXPECT_DOUBLE_EQ(got->low, want.low);
      EXPECT_DOUBLE_EQ(got->high, want.high);
      EXPECT_LT(got->low, got->high);
    };
    same(found[s].recall, recall[s]);
    same(found[s].f1, f1[s]);
    same(found[s].preference, preference[s]);
  }
}

}  // namespace
}  // namespace straq::report
