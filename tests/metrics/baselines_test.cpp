#include "metrics/baselines.h"

#include <gtest/gtest.h>

#include <array>

#include "dialogue/readers/readers.h"
#include "dialogue/turns.h"
#include "metrics/evaluation.h"
#include "metrics/strategy_metrics.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

using dialogue::Format;
using dialogue::StrategySet;
using straq::testing::error_of;

Prediction row(int previous, int gold, int turn) {
  Prediction p;
  p.dialogue = "d";
  p.turn = p.index = turn;
  p.of = 100;
  p.previous = previous;
  p.gold = gold;
  p.chosen = 6;  // must not be read
  p.q = {1, 2, 3};
  return p;
}

std::vector<int> chosen_of(const std::vector<Prediction>& rows) {
  std::vector<int> out;
  for (const auto& r : rows) out.push_back(r.chosen);
  return out;
}

TEST(Baselines, ChooseAsTheirNamesSay) {
  const std::vector<Prediction> fit = {row(-1, 4, 0), row(4, 2, 1), row(4, 2, 2),
                                       row(4, 5, 3),  row(2, 2, 4), row(2, 1, 5)};
  const std::vector<Prediction> rows = {row(-1, 3, 0), row(4, 3, 1), row(2, 0, 2), row(7, 0, 3)};
  EXPECT_EQ(chosen_of(baseline_predictions(Baseline::majority, {}, rows)),
            (std::vector<int>{0, 0, 0, 0}))
      << "0 and 3 tie in the evaluated rows: the lower index";
  EXPECT_EQ(chosen_of(baseline_predictions(Baseline::repeat_last, {}, rows)),
            (std::vector<int>{0, 4, 2, 7}));
  EXPECT_EQ(chosen_of(baseline_predictions(Baseline::markov1, fit, rows)),
            (std::vector<int>{4, 2, 1, 2}))
      << "start -> 4; 4 -> 2; 2 -> 1 or 2, the lower; 7 was never seen: the most frequent, 2";
  const auto out = baseline_predictions(Baseline::majority, {}, rows);
  EXPECT_TRUE(out[0].q.empty()) << "a trivial planner has no Q";
}

TEST(Baselines, BadInputIsRefused) {
  const std::vector<Prediction> rows = {row(-1, 3, 0)};
  error_of([&] { baseline_predictions(Baseline::markov1, {}, rows); });
  error_of([&] { baseline_predictions(Baseline::majority, {}, rows, {.strategies = 3}); });
}

class OfficialSplit : public ::testing::Test {
 protected:
  static std::vector<Prediction> rows_of(const std::string& path) {
    const auto strategies =
        StrategySet::load(straq::testing::source_path("configs/strategies/esconv.yaml"));
    const auto corpus = dialogue::read_corpus(path, Format::esconv_jsonl, strategies);
    return gold_rows(dialogue::build_episodes(corpus.dialogues, dialogue::MergeLabel::first));
  }
};

TEST_F(OfficialSplit, BaselinesHaveTheirKnownScores) {
  STRAQ_REQUIRE_DATA(train, "esconv/train.txt");
  STRAQ_REQUIRE_DATA(valid, "esconv/valid.txt");
  STRAQ_REQUIRE_DATA(test, "esconv/test.txt");
  auto fit = rows_of(train);
  const auto more = rows_of(valid);
  fit.insert(fit.end(), more.begin(), more.end());
  const auto rows = rows_of(test);
  ASSERT_EQ(rows.size(), 2295u);
  const auto reports = baseline_reports(fit, rows, {});
  ASSERT_EQ(reports.size(), 3u);
  const std::array<std::array<double, 3>, 3> want = {
      {{18.0392, 3.8206, 2.645751}, {23.5730, 19.9661, 0.228321}, {27.4946, 16.1229, 1.094764}}};
  const char* const names[] = {"majority", "repeat_last", "markov1"};
  for (std::size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(names[i]);
    EXPECT_EQ(reports[i].name, names[i]);
    EXPECT_NEAR(100 * reports[i].strategy.acc, want[i][0], 5e-5);
    EXPECT_NEAR(100 * reports[i].strategy.macro_f1, want[i][1], 5e-5);
    EXPECT_NEAR(reports[i].strategy.bias, want[i][2], 5e-7);
    EXPECT_EQ(reports[i].intervals.clusters, 195);
    EXPECT_LT(reports[i].intervals.acc->low, reports[i].strategy.acc);
    EXPECT_GT(reports[i].intervals.acc->high, reports[i].strategy.acc);
  }
  EXPECT_TRUE(reports[0].strategy.bt_degenerate);
}

}  // namespace
}  // namespace straq::metrics
