#include "metrics/strategy_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/json/json_fields.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

constexpr double kTight = 1e-9;

// Rows of one dialogue from parallel lists.
std::vector<Prediction> rows_of(const std::vector<int>& gold, const std::vector<int>& chosen,
                                const std::string& dialogue = "d") {
  std::vector<Prediction> rows;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    Prediction row;
    row.dialogue = dialogue;
    row.turn = static_cast<int>(2 * i + 1);
    row.index = static_cast<int>(i);
    row.of = static_cast<int>(gold.size());
    row.gold = gold[i];
    row.chosen = chosen[i];
    rows.push_back(row);
  }
  return rows;
}

const std::vector<int> kGold = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3};
const std::vector<int> kChosen = {0, 0, 0, 1, 3, 3, 1, 1, 0, 3, 2, 2, 3, 3, 0, 2, 3, 3, 3, 1};
const std::vector<double> kWins = {3, 1, 1, 0, 1, 2, 0, 1, 0, 1, 2, 0, 2, 1, 2, 3};

StrategyOptions four() {
  StrategyOptions o;
  o.strategies = 4;
  return o;
}

void expect_all_near(const std::vector<double>& got, const std::vector<double>& want,
                     double tolerance = kTight) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

TEST(StrategyMetrics, WorkedExampleScoresAndPreference) {
  const auto r = strategy_report(rows_of(kGold, kChosen), four());
  EXPECT_EQ(r.n, 20);
  EXPECT_NEAR(r.acc, 0.5, kTight);
  expect_all_near(r.f1, {6.0 / 11, 4.0 / 9, 0.5, 0.5});
  EXPECT_NEAR(r.macro_f1, 0.497474747474747, kTight);
  EXPECT_NEAR(r.weighted_f1, 0.499747474747475, kTight);
  expect_all_near(r.preference, {0.578728251244, 0.578728251244, 0.350011153176, 2.492532344335});
  EXPECT_NEAR(r.bias, 0.866758050508, kTight);
  EXPECT_FALSE(r.bt_degenerate);
  EXPECT_EQ(r.confusion, (Counts2d{{3, 1, 0, 2}, {1, 2, 1, 1}, {1, 0, 2, 2}, {0, 1, 0, 3}}));
  EXPECT_EQ(r.support, (std::vector<std::int64_t>{6, 5, 5, 4}));
  EXPECT_EQ(r.predicted, (std::vector<std::int64_t>{5, 4, 3, 8}));
  expect_all_near(r.recall, {0.5, 0.4, 0.4, 0.75});
  expect_all_near(r.precision, {0.6, 0.5, 2.0 / 3, 0.375});
}

TEST(StrategyMetrics, SweepsFollowTheWorkedIntermediateValues) {
  std::vector<double> p(4, 1.0);
  EXPECT_FALSE(bradley_terry_sweep(kWins, p));
  expect_all_near(p, {0.6666666667, 0.5625, 0.225, 2.3864795918}, 1e-10);
  double product = 1;
  for (double x : p) product *= x;
  EXPECT_NEAR(std::pow(product, 0.25), 0.6698736235, 1e-10);
  const std::vector<std::vector<double>> normalised = {
      {0.9952125942, 0.8397106263, 0.3358842505, 3.5625818184},
      {0.7619704757, 0.7813016207, 0.4978823994, 3.3737768744},
      {},
      {},
      {0.7871771370, 0.7871821013, 0.4760204806, 3.3902106121}};
  rescale_by_geometric_mean(p);
  for (std::size_t sweep = 0; sweep < 5; ++sweep) {
    if (sweep > 0) {
      bradley_terry_sweep(kWins, p);
      rescale_by_geometric_mean(p);
    }
    if (!normalised[sweep].empty()) expect_all_near(p, normalised[sweep], 1e-10);
  }
}

TEST(StrategyMetrics, AStrategyThatIsNeverWronglyPredictedHasStrengthZero) {
  auto chosen = kChosen;
  chosen[10] = 3;
  const auto r = strategy_report(rows_of(kGold, chosen), four());
  expect_all_near(r.preference, {0.459861143356, 0.836925995984, 0, 2.703212860660});
  EXPECT_NEAR(r.bias, 1.027043957672, kTight);
  EXPECT_FALSE(r.bt_degenerate) << "one strategy at 0 is no degenerate case";
}

TEST(StrategyMetrics, GuardsOfTheDegenerateCases) {
  const auto one = bradley_terry(std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0,  //
                                                     0, 0, 0, 0, 6, 5, 5, 4});
  expect_all_near(one.p, {0, 0, 0, 4});
  EXPECT_NEAR(one.bias, 1.732050807569, kTight);
  EXPECT_TRUE(one.degenerate);

  const auto perfect = bradley_terry(std::vector<double>{6, 0, 0, 0, 0, 5, 0, 0,  //
                                                         0, 0, 5, 0, 0, 0, 0, 4});
  expect_all_near(perfect.p, {1, 1, 1, 1});
  EXPECT_NEAR(perfect.bias, 0, kTight);
  EXPECT_TRUE(perfect.degenerate);

  const auto two = bradley_terry(std::vector<double>{3, 1, 1, 0, 2, 2, 3, 2,  //
                                                     0, 0, 0, 0, 0, 0, 0, 0});
  expect_all_near(two.p, {1.333333333, 2.666666667, 0, 0});
  EXPECT_NEAR(two.bias, 1.105541596785, kTight);
  EXPECT_TRUE(two.degenerate);
}

TEST(StrategyMetrics, BoundsOfTheBias) {
  // Everything in one of eight strategies: sqrt(8 - 1), whichever it is.
  for (int c = 0; c < 8; ++c) {
    std::vector<int> gold, chosen(16, c);
    for (int i = 0; i < 16; ++i) gold.push_back(i % 8);
    EXPECT_NEAR(strategy_report(rows_of(gold, chosen), {}).bias, std::sqrt(7.0), kTight) << c;
  }
  std::vector<int> gold;
  for (int i = 0; i < 16; ++i) gold.push_back(i % 8);
  const auto perfect = strategy_report(rows_of(gold, gold), {});
  EXPECT_EQ(perfect.acc, 1);
  EXPECT_EQ(perfect.macro_f1, 1);
  EXPECT_EQ(perfect.bias, 0);
}

TEST(StrategyMetrics, MacroAverageOverAllOrPresentStrategies) {
  StrategyOptions all, present;
  present.macro = MacroLabels::present;
  const auto rows = rows_of({0, 0, 1}, {0, 1, 1});  // F1 2/3 and 2/3, six strategies unseen
  EXPECT_NEAR(strategy_report(rows, all).macro_f1, (2.0 / 3 + 2.0 / 3) / 8, kTight);
  EXPECT_NEAR(strategy_report(rows, present).macro_f1, 2.0 / 3, kTight);
}

TEST(StrategyMetrics, InvalidChoicesFollowTheRuleAndAreCounted) {
  const auto rows = rows_of({7, 1, 1, 0}, {-1, -1, 1, 0});
  StrategyOptions o;
  const auto others = strategy_report(rows, o);
  EXPECT_EQ(others.invalid, 2);
  EXPECT_EQ(others.acc, 0.75) << "the invalid one whose gold is Others counts as right";
  EXPECT_EQ(others.predicted[7], 2);

  o.invalid = InvalidRule::wrong;
  const auto wrong = strategy_report(rows, o);
  EXPECT_EQ(wrong.invalid, 2);
  EXPECT_EQ(wrong.acc, 0.5);
  EXPECT_EQ(wrong.n, 4);
  EXPECT_EQ(wrong.predicted[7], 0);
  EXPECT_EQ(wrong.support[1], 2) << "a miss stays in its gold strategy's support";
  EXPECT_EQ(wrong.recall[1], 0.5);

  o.invalid = InvalidRule::fail;
  const auto e = straq::testing::error_of([&] { strategy_report(rows, o); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("d:1"), std::string::npos) << e->what();
}

TEST(StrategyMetrics, TransitionsStayInsideADialogueAndFollowTheIndex) {
  auto rows = rows_of({0, 1, 2}, {3, 4, 5}, "a");
  const auto b = rows_of({6, 7}, {7, 7}, "b");
  rows.insert(rows.begin(), b.begin(), b.end());
  std::swap(rows[2], rows[4]);  // the file's order does not matter
  const auto r = strategy_report(rows, {});
  Counts2d want(8, std::vector<std::int64_t>(8, 0));
  want[3][4] = want[4][5] = want[7][7] = 1;
  EXPECT_EQ(r.transition, want);
  Counts2d gold(8, std::vector<std::int64_t>(8, 0));
  gold[0][1] = gold[1][2] = gold[6][7] = 1;
  EXPECT_EQ(r.gold_transition, gold);
}

TEST(StrategyMetrics, ReportSurvivesJson) {
  auto chosen = kChosen;
  chosen[0] = -1;
  StrategyOptions o = four();
  o.invalid = InvalidRule::wrong;
  o.macro = MacroLabels::present;
  const auto r = strategy_report(rows_of(kGold, chosen), o);
  const auto again = read_json<StrategyReport>(nlohmann::ordered_json::parse(r.to_json().dump()),
                                               "evaluation.json");
  EXPECT_EQ(again.to_json(), r.to_json());
  EXPECT_EQ(again.invalid_rule, InvalidRule::wrong);
  EXPECT_EQ(again.macro, MacroLabels::present);
}

TEST(StrategyMetrics, MalformedReportNamesTheKey) {
  auto j = strategy_report(rows_of(kGold, kChosen), four()).to_json();
  auto missing = j;
  missing.erase("acc");
  auto e = straq::testing::error_of([&] { read_json<StrategyReport>(missing, "x.json"); });
  EXPECT_STREQ(e->what(), "x.json: \"acc\" is missing");
  auto short_list = j;
  short_list["f1"] = {1.0};
  e = straq::testing::error_of([&] { read_json<StrategyReport>(short_list, "x.json"); });
  EXPECT_STREQ(e->what(), "x.json: \"f1\" must have 4 items");
  auto ragged = j;
  ragged["confusion"][2] = {1};
  e = straq::testing::error_of([&] { read_json<StrategyReport>(ragged, "x.json"); });
  EXPECT_STREQ(e->what(), "x.json: \"confusion\" must have 4 numbers a row");
}

TEST(StrategyMetrics, NothingToScoreAndForeignIndicesAreRefused) {
  straq::testing::error_of([] { strategy_report({}, {}); });
  straq::testing::error_of([] { strategy_report(rows_of({0}, {8}), {}); });
  straq::testing::error_of([] { strategy_report(rows_of({9}, {1}), {}); });
}

}  // namespace
}  // namespace straq::metrics
