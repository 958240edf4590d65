// Each entry of the list of metrics (metrics/metric.h) has its column in the tables and its panel
// in the figures that it names, with its value in it, and is taken where rows are ranked.
#include <gtest/gtest.h>

#include <algorithm>

#include "report/figures/figures.h"
#include "report/rows/method_rows.h"
#include "report/rows/reply_scores.h"
#include "report/tables/method_blocks.h"
#include "report/tables/paper_tables.h"
#include "report/tables/tables.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

using metrics::ShownIn;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

class MetricColumns : public ::testing::Test {
 protected:
  MetricColumns()
      : results_(results::read_results(results::golden::make(root_))),
        methods_(gather_methods(results_)) {}

  static bool has(const Table& t, const std::string& column) {
    return std::find(t.columns.begin(), t.columns.end(), column) != t.columns.end();
  }
  // Of the row whose first cell is `name`.
  static nlohmann::ordered_json value(const Table& t, const std::string& name,
                                      const std::string& column) {
    for (const auto& row : t.rows) {
      if (row[0].text != name) continue;
      const auto at = std::find(t.columns.begin(), t.columns.end(), column) - t.columns.begin();
      const auto& v = row.at(static_cast<std::size_t>(at)).value;
      return v.is_object() ? v.at("value") : v;
    }
    return {};
  }
  const metrics::SplitEvaluation& evaluation() const { return *results_.runs()[0]->split("test"); }

  TemporaryFolder root_;
  results::Results results_;
  Methods methods_;
};

TEST_F(MetricColumns, ThePapersTablesHaveThoseThatSayTheyAreThere) {
  // The runs name no corpus, so that theirs is the Table 1 of one without a name.
  const Table t1 = table1_elsewhere(methods_, {}, {}).at(0), t9 = table9(methods_, {});
  const std::string name = methods_.rows[0].title();
  for (const metrics::Metric* m : metrics::all_metrics()) {
    const std::string column = heading_of(*m, /*arrow=*/true);
    EXPECT_EQ(has(t1, column), m->shown.main) << m->key;
    const metrics::StrategyMetric* of_choices = metrics::find_strategy_metric(m->key);
    if (of_choices == nullptr || !m->shown.main) continue;
    EXPECT_EQ(value(t1, name, column), m->scale() * evaluation().strategy.*of_choices->score);
    EXPECT_EQ(methods_.rows[0].by_strategy[0].count(m->key), m->shown.table9) << m->key;
    EXPECT_EQ(m->shown.table9, of_choices->of_strategy.title != nullptr) << m->key;
  }
  EXPECT_EQ(t1.columns, (std::vector<std::string>{"Method", "Responder", "Acc ↑", "macro-F1 (Q) ↑",
                                                  "B ↓", "B-2 ↑", "R-L ↑", "n", "Seeds", "Runs"}));
  EXPECT_EQ(t9.columns,
            (std::vector<std::string>{"Method", "Responder", "Strategy", "Acc ↑", "F1 (Q) ↑", "B",
                                      "B-2 ↑", "R-L ↑", "Dist-2", "CIDEr", "n"}));
  EXPECT_EQ(t9.columns.size(), 4 + metrics::metrics_in(&ShownIn::table9).size());
}

TEST_F(MetricColumns, TheRunsOwnTablesHaveThoseOfChoicesAndOfQValues) {
  const Table runs = results_tables(results_)[0], seeds = seeds_table(results_),
              values = value_table(results_), t4 = table4(methods_, {});
  for (const auto& m : metrics::strategy_metrics()) {
    const std::string title = m.title;
    EXPECT_EQ(has(runs, title + m.unit()), m.shown.main) << m.key;
    EXPECT_EQ(has(runs, title + " 95 %"), m.shown.main) << m.key;
    EXPECT_EQ(has(seeds, title + " mean" + m.unit()), m.shown.main) << m.key;
    if (!m.shown.main) continue;
    EXPECT_EQ(value(runs, "g80", title + m.unit()), m.scale() * evaluation().strategy.*m.score);
  }
  for (const auto& m : metrics::value_metrics()) {
    EXPECT_TRUE(has(values, m.title)) << m.key;
    if (const auto x = m.value(*evaluation().value)) {
      EXPECT_EQ(value(values, "gamma/g80", m.title), *x) << m.key;
    }
    EXPECT_TRUE(m.table4 == nullptr || has(t4, m.table4)) << m.key;
  }
  EXPECT_TRUE(has(t4, metrics::reward_metric().title));
}

TEST_F(MetricColumns, TheOrderOfStrategiesAndWhatForeseesRatingsHaveTheirs) {
  const Table ranking = ranking_table(results_), foresight = foresight_table(results_);
  for (const auto& m : metrics::ranking_metrics()) {
    const std::string column = m.title + std::string(m.unit());
    ASSERT_TRUE(has(ranking, column)) << m.key;
    const auto& x = *evaluation().ranking.*m.score;
    if (x) {
      EXPECT_EQ(value(ranking, "gamma/g80", column), m.scale() * *x) << m.key;
    }
  }
  const auto& predictors = evaluation().foresight->predictors;
  ASSERT_EQ(predictors[0].first, "q");
  for (const auto& m : metrics::foresight_metrics()) {
    ASSERT_TRUE(has(foresight, m.title)) << m.key;
    EXPECT_EQ(has(foresight, m.title + std::string(" 95 %")), m.interval != nullptr) << m.key;
    EXPECT_EQ(value(foresight, "gamma/g80", m.title), *(predictors[0].second.*m.score)) << m.key;
  }
  // A row a predictor and run; the constant's says nothing.
  EXPECT_EQ(foresight.rows.size(), 3 * predictors.size());
  const auto constant = std::find_if(foresight.rows.begin(), foresight.rows.end(),
                                     [](const auto& row) { return row[2].text == "[constant]"; });
  ASSERT_NE(constant, foresight.rows.end());
  EXPECT_EQ((*constant)[3].value, 0.0);
}

TEST_F(MetricColumns, AFigureOverAParameterHasAPanelOfEachOfChoices) {
  const auto figures = sensitivity_figures(results_, "learn.gamma", score_replies(results_));
  ASSERT_EQ(figures.size(), 1u);
  for (const auto& m : metrics::strategy_metrics()) {
    const std::string columns = " " + std::string(m.key) + " " + m.key + "_sd";
    EXPECT_EQ(figures[0].data.find(columns) != std::string::npos, m.shown.main) << m.key;
    if (m.shown.main) {
      EXPECT_NE(figures[0].script.find("set title '" + std::string(m.title)), std::string::npos)
          << figures[0].script;
    }
  }
}

TEST(RankableMetrics, AreTakenByKeyAndOthersAreRefused) {
  for (const metrics::Metric* m : metrics::all_metrics()) {
    if (m->rankable) {
      EXPECT_EQ(&rankable_metric(m->key), m);
    } else {
      EXPECT_TRUE(error_of([&] { rankable_metric(m->key); })) << m->key;
    }
  }
  EXPECT_STREQ(rankable_metric("q").key, "macro_f1") << "its word before";
  const auto e = error_of([] { rankable_metric("b"); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("rank by acc or macro_f1"), std::string::npos) << e->full();
  EXPECT_NE(error_of([] { rankable_metric("speed"); })
                ->full()
                .find("choose one of: acc, macro_f1, bleu2, rouge_l, dist2, cider, reward"),
            std::string::npos);
}

}  // namespace
}  // namespace straq::report
