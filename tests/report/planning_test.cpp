// "Does it plan?": the table of planners that were played beside known policies, and the figure of
// learned Q against Q*.
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "report/figures/figures.h"
#include "report/tables/tables.h"
#include "results/rows/simulation.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using straq::testing::TemporaryFolder;

results::Simulation played(double mean, double spearman, double optimum = 4) {
  results::Simulation s;
  s.dialogues = 100;
  s.value = {mean, 0.02};
  s.reference = {3.8, 0.01};
  s.exact = {{"optimum", optimum}, {"supporter", 2}};
  s.same_units = true;
  results::QError e;
  e.states = 9;
  e.mean_absolute = 0.5;
  e.spearman = spearman;
  e.within = 0.5;
  s.q = {{"data", e}, {"reachable", e}};
  s.points = {{"exploration", "Question", 3, 5, 1, 0.9}, {"action", "Others", 2, 5, 2, 2.5}};
  return s;
}

class PlanningTable : public ::testing::Test {
 protected:
  void add(const std::string& point, const results::Simulation& s) {
    write_file_atomic(folder.path("results/x/" + point + "/config.yaml"), "seed: 1\n");
    results::write_simulation(folder.path("results/x/" + point + "/simulation.json"), s);
  }
  std::string cell(const Table& t, const std::string& row, const std::string& column) const {
    for (const auto& r : t.rows) {
      if (r[0].text != row) continue;
      for (std::size_t c = 0; c < t.columns.size(); ++c) {
        if (t.columns[c] == column) return r[c].text;
      }
    }
    return "no such cell";
  }
  TemporaryFolder folder;
};

TEST_F(PlanningTable, SharesOfTheOptimumOverSeeds) {
  add("planner_seed-1", played(3.6, 0.8));
  add("planner_seed-2", played(3.8, 0.9));
  add("imitation_seed-1", played(3.0, 0.2));
  const auto tables = planning_tables(results::read_results(folder.path("results")));
  ASSERT_EQ(tables.size(), 1u);
  const Table& t = tables[0];
  EXPECT_EQ(cell(t, "sees the state: optimum", "% of optimum"), "100.0");
  EXPECT_EQ(cell(t, "sees the state: supporter", "% of optimum"), "50.0");
  EXPECT_EQ(cell(t, "reads the words: best reader", "% of optimum"), "95.0");
  EXPECT_EQ(cell(t, "planner", "Seeds"), "2");
  EXPECT_EQ(cell(t, "planner", "% of optimum"), "92.5");
  EXPECT_EQ(cell(t, "planner", "ρ reachable"), "0.85");
  EXPECT_EQ(cell(t, "imitation", "Seeds"), "1");
  EXPECT_EQ(cell(t, "imitation", "% of optimum"), "75.0");
  // One seed: 1.96 standard errors of the dialogues, 0.98 points of 4.
  EXPECT_EQ(cell(t, "imitation", "95 %"), "74.0–76.0");
  EXPECT_EQ(cell(t, "imitation", "MAE data"), "0.50");
}

TEST_F(PlanningTable, ErrorsInOtherUnitsAreLeftOutAndWorldsKeptApart) {
  results::Simulation s = played(3.0, 0.2);
  for (auto& q : s.q) q.second.mean_absolute.reset();
  add("imitation_seed-1", s);
  add("elsewhere_seed-1", played(3.0, 0.2, 8));
  const auto tables = planning_tables(results::read_results(folder.path("results")));
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_NE(tables[0].id, tables[1].id);
  EXPECT_EQ(
      cell(tables[0], "imitation", "% of optimum") + cell(tables[1], "imitation", "% of optimum"),
      tables[0].rows.back()[0].text == "imitation" ? "75.0no such cell" : "no such cell75.0");
  for (const auto& t : tables) {
    if (t.rows.back()[0].text == "imitation") {
      EXPECT_NE(cell(t, "imitation", "MAE data"), "0.50");
    }
  }
}

TEST_F(PlanningTable, AFolderWithoutAnyHasNone) {
  write_file_atomic(folder.path("results/x/a/config.yaml"), "seed: 1\n");
  const auto tables = planning_tables(results::read_results(folder.path("results")));
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_TRUE(tables[0].rows.empty());
  EXPECT_EQ(tables[0].id, "planning");
}

TEST_F(PlanningTable, TheFigureHasAPointAStrategyAndTheDiagonal) {
  add("planner_seed-1", played(3.6, 0.8));
  const auto results = results::read_results(folder.path("results"));
  const auto figures = planning_figures(*results.runs()[0]);
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_NE(figures[0].data.find("1 0.9 3 5 \"Question\""), std::string::npos) << figures[0].data;
  EXPECT_NE(figures[0].script.find("Q = Q*"), std::string::npos);
  EXPECT_NE(figures[0].caption.find("0.8"), std::string::npos) << figures[0].caption;
  results::Run none;
  EXPECT_TRUE(planning_figures(none).empty());
}

}  // namespace
}  // namespace straq::report
