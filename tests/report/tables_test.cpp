#include "report/tables/tables.h"

#include <gtest/gtest.h>

#include "report/rows/method_rows.h"
#include "report/rows/setting_names.h"
#include "report/tables/estimate_cells.h"
#include "results/rows/evaluation.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

using straq::testing::TemporaryFolder;

std::vector<std::vector<std::string>> texts(const Table& t) {
  std::vector<std::vector<std::string>> out;
  for (const auto& row : t.rows) {
    out.emplace_back();
    for (const auto& cell : row) out.back().push_back(cell.text);
  }
  return out;
}
using Rows = std::vector<std::vector<std::string>>;

TEST(Tables, ResultsShowEveryRunAndTheTrivialBaselines) {
  TemporaryFolder root;
  const auto tables = results_tables(results::read_results(results::golden::make(root)));
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(tables[0].id, "results_test");
  EXPECT_EQ(tables[0].columns,
            (std::vector<std::string>{"Planner", "Seed", "Acc %", "Acc 95 %", "macro-F1 %",
                                      "macro-F1 95 %", "B", "B 95 %", "n", "Invalid"}));
  const std::string d = "–";
  // Majority: 4 of 16, F1 of one strategy 8/20, so macro-F1 = 10; Repeat-last: never right but at
  // the two openings (gold 0, Question); Markov-1: the gold strategies follow a cycle, so always
  // right.
  const Rows want = {
      {"g80", "1", "50.00", "40.00–60.00", "50.00", "30.00–55.00", "0.000", "0.25–1.50", "16", "0"},
      {"g90-1", "1", "75.00", "65.00–85.00", "75.00", "55.00–80.00", "0.000", "0.25–1.50", "16",
       "0"},
      {"g90-2", "2", "25.00", "15.00–35.00", "25.00", "5.00–30.00", "0.000", "0.25–1.50", "16",
       "0"},
      {"g99", "1", "failed", d, d, d, d, d, d, d},
      {"half", "1", "unfinished", d, d, d, d, d, d, d},
      {"bad", "1", "not evaluated", d, d, d, d, d, d, d},
      {"later", "1", "not started", d, d, d, d, d, d, d},
      {"[Majority strategy]", d, "25.00", "40.00–60.00", "10.00", "30.00–55.00", "1.732",
       "0.25–1.50", "16", "0"},
      {"[Repeat last strategy]", d, "12.50", "40.00–60.00", "12.50", "30.00–55.00", "0.000",
       "0.25–1.50", "16", "0"},
      {"[Markov-1]", d, "100.00", "40.00–60.00", "100.00", "30.00–55.00", "0.000", "0.25–1.50",
       "16", "0"}};
  auto got = texts(tables[0]);
  ASSERT_EQ(got.size(), want.size());
  // Repeat-last's macro-F1 and B are checked apart: they follow from no symmetry.
  got[8][4] = want[8][4];
  got[8][6] = want[8][6];
  EXPECT_EQ(got, want);
}

TEST(Tables, CsvHoldsFullPrecisionWithIntervalsInTwoColumns) {
  TemporaryFolder root;
  auto t = results_tables(results::read_results(results::golden::make(root)))[0];
  t.rows.resize(4);
  t.rows.erase(t.rows.begin(), t.rows.begin() + 2);
  EXPECT_EQ(flatten_cells(t).to_csv(),
            "Planner,Seed,Acc %,Acc 95 % low,Acc 95 % high,macro-F1 %,macro-F1 95 % low,"
            "macro-F1 95 % high,B,B 95 % low,B 95 % high,n,Invalid\n"
            "g90-2,2,25.0,15.0,35.0,25.0,4.999999999999999,30.0,0.0,0.25,1.5,16,0\n"
            "g99,1,,,,,,,,,,,\n");
}

TEST(Tables, RunsOnOtherDecisionsGetATableOfTheirOwn) {
  TemporaryFolder root;
  results::golden::make(root);
  results::golden::finished_run(root.path("results/other/small"), 2);
  auto rows = results::golden::rows(2);
  rows.resize(12);
  metrics::EvaluationOptions o;
  o.strategy.strategies = 4;
  o.bootstrap.replicates = 20;
  metrics::Evaluation e = results::golden::evaluation(2);
  e.splits[0].second = metrics::evaluate_predictions(rows, o);
  e.baselines.clear();
  results::write_evaluation(root.path("results/other/small/evaluation.json"), e);
  const auto tables = results_tables(results::read_results(root.path("results")));
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].rows[0][0].text, "gamma/g80");
  EXPECT_EQ(tables[1].id, "results_test_2");
  EXPECT_EQ(tables[1].title, "Strategy choice on the split test, decisions of other");
  ASSERT_EQ(tables[1].rows.size(), 1u);
  EXPECT_EQ(tables[1].notes[0].rfind("The trivial baselines are missing", 0), 0u);
}

TEST(Tables, ADegenerateBiasIsNotedForThePlannersThatHaveIt) {
  TemporaryFolder root;
  const auto noted = [&] {
    const auto tables = results_tables(results::read_results(root.path("results")));
    for (const auto& note : tables[0].notes) {
      if (note.rfind("B rests on a guard", 0) == 0) return note;
    }
    return std::string("none");
  };
  results::golden::finished_run(root.path("results/x/plain"), 2);
  EXPECT_EQ(noted(), "none") << "the majority row always is degenerate and needs no note";
  results::golden::finished_run(root.path("results/x/perfect"), 4);
  EXPECT_EQ(noted(),
            "B rests on a guard (strategies that are never, or only ever rightly, "
            "predicted) for: perfect.");
}

TEST(Tables, SeedsAreSummarisedApart) {
  TemporaryFolder root;
  const Table t = seeds_table(results::read_results(results::golden::make(root)));
  ASSERT_EQ(t.rows.size(), 1u) << "only gamma 0.9 has two seeds";
  // 75 and 25: mean 50, sd 35.355; an interval of two would reach from -268 to 368 percent.
  EXPECT_EQ(texts(t)[0], (std::vector<std::string>{"learn.gamma=0.9", "test", "2", "50.00", "35.36",
                                                   "75.00; 25.00", "50.00", "35.36", "75.00; 25.00",
                                                   "0.000", "0.000", "0.000; 0.000"}));
}

TEST(Tables, PerStrategyRowsAreRecallPrecisionAndF1) {
  TemporaryFolder root;
  const results::Results r = results::read_results(results::golden::make(root));
  const Table t = strategies_table(r.runs());
  ASSERT_EQ(t.rows.size(), 12u);
  EXPECT_EQ(texts(t)[4], (std::vector<std::string>{"gamma/g90-1", "test", "Question", "4", "4",
                                                   "75.00", "75.00", "75.00", "1.000"}));
}

TEST(Tables, OverviewNamesWhatIsMissingAndWhy) {
  TemporaryFolder root;
  const auto rows = texts(overview_table(results::read_results(results::golden::make(root))));
  EXPECT_EQ(rows[0], (std::vector<std::string>{"gamma", "g80", "done", "7", "test", "", ""}));
  EXPECT_EQ(rows[3], (std::vector<std::string>{
                         "gamma", "g99", "failed", "–", "–",
                         "provenance.json, metrics.jsonl, predictions, evaluation.json",
                         "diverged at step 7 <script>alert(1)</script>"}));
  EXPECT_EQ(rows[6], (std::vector<std::string>{"gamma", "later", "not started", "–", "–",
                                               "everything", ""}));
}

TEST(Tables, ValuesAndTraining) {
  TemporaryFolder root;
  const results::Results r = results::read_results(results::golden::make(root));
  const auto value = texts(value_table(r));
  ASSERT_EQ(value.size(), 3u);
  // right = 2: Q of the chosen is 2 throughout, of the gold 2 on half of the decisions; returns are
  // constant, so there is no rank correlation.
  EXPECT_EQ(value[0], (std::vector<std::string>{"gamma/g80", "test", "0.850", "2.000", "2.000",
                                                "1.250", "1.000", "–", "–", "16"}));
  const auto training = texts(training_table(r));
  EXPECT_EQ(training[0], (std::vector<std::string>{"gamma/g80", "pretrain", "6", "9.0000", "4.0000",
                                                   "6.000", "600"}));
  EXPECT_EQ(training[1],
            (std::vector<std::string>{"gamma/g80", "q", "1", "0.5000", "0.5000", "–", "–"}));
}

TEST(Tables, ASettingOfSeveralParametersIsNamedShortly) {
  TemporaryFolder root;
  results::Results r = results::read_results(results::golden::make(root));
  r.experiments[0].runs[0].parameters = {{"learn.gamma", "0.5"},
                                         {"model.shape", "configs/shapes/tiny.yaml"}};
  const auto groups = group_runs(r, "test", {});
  ASSERT_FALSE(groups.empty());
  EXPECT_EQ(groups[0].label, "learn.gamma=0.5, model.shape=configs/shapes/tiny.yaml");
  EXPECT_EQ(short_setting(groups[0].label), "gamma=0.5, shape=tiny");
  EXPECT_EQ(short_setting(""), "");
}

TEST(Tables, SmoothingIsCentredAndKeepsTheEnds) {
  EXPECT_EQ(smooth({1, 2, 6, 4}, 3), (std::vector<double>{1.5, 3, 4, 5}));
  EXPECT_EQ(smooth({1, 2}, 1), (std::vector<double>{1, 2}));
  EXPECT_TRUE(smooth({}, 5).empty());
  EXPECT_EQ(smoothing_window(10), 1);
  EXPECT_EQ(smoothing_window(500), 25);
}

}  // namespace
}  // namespace straq::report
