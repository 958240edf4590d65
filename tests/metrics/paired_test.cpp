#include "metrics/paired.h"

#include <gtest/gtest.h>

#include "metrics/response_report.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

using straq::testing::error_of;

constexpr double kTight = 1e-9;

// The spec's two systems as matrices: hits on the diagonal, misses beside it.
std::vector<CountMatrix> matrices(const std::vector<std::pair<int, int>>& dialogues) {
  std::vector<CountMatrix> out;
  for (auto [correct, total] : dialogues) {
    CountMatrix m(8);
    m.at(0, 0) = correct;
    m.at(0, 1) = total - correct;
    out.push_back(m);
  }
  return out;
}
const auto kA = matrices({{3, 8}, {5, 10}, {2, 9}, {7, 12}, {4, 11}, {6, 10}});
const auto kB = matrices({{2, 8}, {5, 10}, {1, 9}, {5, 12}, {4, 11}, {5, 10}});

TEST(Paired, AccuracyOfTheWorkedExample) {
  PairedOptions o;
  o.bootstrap.replicates = 500;
  const auto d = compare_strategies(kA, kB, o);
  ASSERT_EQ(d.size(), 2u);
  EXPECT_EQ(d[0].metric, "acc");
  EXPECT_NEAR(d[0].difference, 0.083333333333, kTight);
  EXPECT_TRUE(d[0].exact) << "64 arrangements are fewer than 9,999";
  EXPECT_DOUBLE_EQ(d[0].p, 0.125);
  EXPECT_EQ(d[0].clusters, 6);
  ASSERT_TRUE(d[0].interval);
  // No dialogue is better under the second system, so no replicate is below zero.
  EXPECT_GE(d[0].interval->low, 0);
  EXPECT_GT(d[0].interval->high, d[0].difference);
}

TEST(Paired, RandomArrangementsFollowTheSpecsGenerator) {
  PairedOptions o;
  o.permutations = 50;  // fewer than the 64 there are: so they are drawn
  o.seed = 7;
  o.bootstrap.replicates = 0;
  const auto d = compare_strategies(kA, kB, o);
  EXPECT_FALSE(d[0].exact);
  EXPECT_FALSE(d[0].interval);
  const auto same = random_permutation(
      6,
      [](std::span<const std::uint8_t> swapped) {
        int sum = 0;
        for (std::size_t i = 0; i < 6; ++i) {
          sum += (swapped[i] ? -1 : 1) * (kA[i].at(0, 0) - kB[i].at(0, 0));
        }
        return sum / 60.0;
      },
      50, 7);
  EXPECT_DOUBLE_EQ(d[0].p, same.p);
}

TEST(Paired, MacroF1AgreesWithTheReportsOwn) {
  CountMatrix m(4);
  m.at(0, 0) = 3;
  m.at(0, 1) = 1;
  m.at(1, 1) = 2;
  m.at(3, 4) = 1;  // an answer that named no strategy
  const std::vector<CountMatrix> a = {m}, b = {CountMatrix(4)};
  for (const auto macro : {MacroLabels::all, MacroLabels::present}) {
    const auto d = compare_strategies(a, b, {.bootstrap = {.replicates = 0}}, macro);
    const auto want = strategy_scores(m, macro);
    EXPECT_DOUBLE_EQ(d[0].a, want.acc);
    EXPECT_DOUBLE_EQ(d[1].a, want.macro_f1);
  }
}

TEST(Paired, EqualMethodsAreNeverFoundDifferent) {
  const auto d = compare_strategies(kA, kA, {.bootstrap = {.replicates = 100}});
  for (const auto& x : d) {
    EXPECT_EQ(x.difference, 0);
    EXPECT_EQ(x.p, 1);
    EXPECT_EQ(x.interval->low, 0);
    EXPECT_EQ(x.interval->high, 0);
  }
}

// Twenty dialogues, all better under the first: 2 of 2^20 arrangements are as far apart.
TEST(Paired, AClearDifferenceIsFound) {
  const std::vector<MeanSums> a(20, {8, 2}), b(20, {6, 2});
  const auto d = compare_means(a, b, "reward", {.bootstrap = {.replicates = 100}});
  EXPECT_EQ(d[0].metric, "reward");
  EXPECT_DOUBLE_EQ(d[0].difference, 1);
  EXPECT_FALSE(d[0].exact);
  EXPECT_DOUBLE_EQ(d[0].p, 1e-4);
  EXPECT_DOUBLE_EQ(d[0].interval->low, 1);
}

TEST(Paired, RepliesAreComparedByTheSumsOfTheirDialogues) {
  std::vector<ResponsePair> good, bad;
  for (int i = 0; i < 6; ++i) {
    ResponsePair p{std::to_string(i),
                   "we can talk about it",
                   {"we can talk about it"},
                   "d" + std::to_string(i / 2),
                   "",
                   ""};
    good.push_back(p);
    p.hypothesis = "no idea at all";
    bad.push_back(p);
  }
  const auto a = sums_by_dialogue(good, {}), b = sums_by_dialogue(bad, {});
  const auto d =
      compare_replies(a.sums, b.sums, BleuVariant::method3, {.bootstrap = {.replicates = 50}});
  EXPECT_EQ(d[0].metric, "bleu2");
  EXPECT_NEAR(d[0].a, 1, kTight);
  EXPECT_NEAR(d[1].difference, 1, kTight) << "ROUGE-L of equal replies against none in common";
  EXPECT_DOUBLE_EQ(d[1].p, 0.25) << "3 dialogues: 2 of 8 arrangements";
}

TEST(Paired, HolmTakesTheWholeFamily) {
  std::vector<PairedDifference> d(4);
  const double p[] = {.01, .04, .03, .005};
  std::vector<PairedDifference*> family;
  for (std::size_t i = 0; i < 4; ++i) {
    d[i].p = p[i];
    family.push_back(&d[i]);
  }
  holm_adjust(family);
  EXPECT_NEAR(d[0].p_holm, .03, kTight);
  EXPECT_NEAR(d[1].p_holm, .06, kTight);
  EXPECT_NEAR(d[2].p_holm, .06, kTight);
  EXPECT_NEAR(d[3].p_holm, .02, kTight);
}

Prediction row(const std::string& dialogue, int turn, int gold, int chosen) {
  Prediction p;
  p.dialogue = dialogue;
  p.turn = turn;
  p.index = turn / 2;
  p.of = 100;
  p.gold = gold;
  p.chosen = chosen;
  return p;
}

TEST(Paired, McNemarIsFlaggedWhereDecisionsShareADialogue) {
  std::vector<Prediction> a, b;
  for (int i = 0; i < 15; ++i) {
    a.push_back(row("d", 2 * i + 1, 0, i < 12 ? 0 : 1));
    b.push_back(row("d", 2 * i + 1, 0, i < 12 ? 1 : 0));
  }
  auto c = compare_decisions(a, b);
  EXPECT_EQ(c.only_a, 12);
  EXPECT_EQ(c.only_b, 3);
  EXPECT_NEAR(c.test.exact, 0.03515625, kTight);
  EXPECT_TRUE(c.anti_conservative);
  for (int i = 0; i < 15; ++i) {
    a[static_cast<std::size_t>(i)].dialogue = "d" + std::to_string(i);
    b[static_cast<std::size_t>(i)].dialogue = "d" + std::to_string(i);
  }
  EXPECT_FALSE(compare_decisions(a, b).anti_conservative) << "one decision a dialogue";
}

TEST(Paired, OtherDecisionsAreRefusedByName) {
  const std::vector<Prediction> a = {row("d", 1, 0, 0), row("d", 3, 1, 0)};
  std::vector<Prediction> b = {row("d", 1, 0, 0)};
  EXPECT_NE(std::string(error_of([&] { compare_decisions(a, b); })->what()).find("d:3"),
            std::string::npos);
  EXPECT_NE(std::string(error_of([&] { compare_decisions(b, a); })->what()).find("d:3"),
            std::string::npos);
  b = {row("d", 1, 0, 0), row("d", 3, 2, 0)};
  EXPECT_NE(std::string(error_of([&] { compare_decisions(a, b); })->what()).find("gold"),
            std::string::npos);
}

TEST(Paired, OnlyDialoguesOfBothSidesPair) {
  const std::map<std::string, MeanSums> a = {{"x", {1, 1}}, {"y", {2, 1}}};
  const std::map<std::string, MeanSums> b = {{"y", {3, 1}}, {"z", {4, 1}}};
  const auto paired = pair_up(a, b);
  ASSERT_EQ(paired.a.size(), 1u);
  EXPECT_EQ(paired.a[0].sum, 2);
  EXPECT_EQ(paired.b[0].sum, 3);
  EXPECT_EQ(paired.left_out, 2u);
  error_of([] { compare_means({}, {}, "none"); });
}

TEST(Paired, CountsByNameAreThoseInOrder) {
  const std::vector<Prediction> rows = {row("b", 1, 0, 0), row("a", 1, 1, 0), row("b", 3, 1, 1)};
  StrategyOptions o;
  const auto counts = counts_of(rows, o);
  EXPECT_EQ(counts.at("b").total(), 2);
  EXPECT_EQ(counts.at("a").at(1, 0), 1);
}

TEST(Paired, SeedsArePairedByName) {
  const std::map<std::string, double> a = {{"1", 46.1}, {"2", 46.9}, {"3", 45.8}};
  const std::map<std::string, double> b = {{"2", 46.4}, {"3", 45.0}, {"9", 1}};
  const auto c = compare_seeds(a, b);
  EXPECT_EQ(c.seeds, (std::vector<std::string>{"2", "3"}));
  EXPECT_NEAR(c.differences.mean, 0.65, kTight);
  // Both differences are positive: 2 of 4 sign arrangements are as far from zero.
  EXPECT_DOUBLE_EQ(c.p.value(), 0.5);
  EXPECT_FALSE(compare_seeds(a, {{"1", 1.0}}).p) << "one seed has no spread";
}

}  // namespace
}  // namespace straq::metrics
