// A report of one's own: a corpus with five strategies, two settings that their author named, three
// seeds each. What people do most is to compare such settings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/files/files.h"
#include "report/figures/figures.h"
#include "report/report.h"
#include "report/rows/setting_names.h"
#include "report/tables/estimate_cells.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "results/rows/steps.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

constexpr int kStrategies = 5;
constexpr int kDialogues = 12;
const char* const kNames[] = {"Open question", "Closed question", "Reflection", "Affirmation",
                              "Information"};

// Five decisions a dialogue, one of each strategy; the first `right` of each are right.
std::vector<metrics::Prediction> choices(int right) {
  std::vector<metrics::Prediction> out;
  for (int d = 0; d < kDialogues; ++d) {
    for (int i = 0; i < kStrategies; ++i) {
      metrics::Prediction p;
      p.dialogue = "mi/" + std::to_string(d);
      p.turn = 2 * i + 1;
      p.index = i;
      p.of = kStrategies;
      p.gold = (d + i) % kStrategies;
      p.previous = i == 0 ? -1 : (d + i - 1) % kStrategies;
      p.chosen = i < right ? p.gold : (p.gold + 1) % kStrategies;
      p.q.assign(kStrategies, 0.5);
      p.q[static_cast<std::size_t>(p.chosen)] = 1;
      p.mc_return = 1;
      out.push_back(p);
    }
  }
  return out;
}

void write_run(const std::string& run, int right, int seed, const std::string& planner) {
  const bool bellman = planner == "q";
  write_file_atomic(run + "/config.yaml", "seed: " + std::to_string(seed) +
                                              "\ndata:\n  name: mi\nlearn:\n  planner: " + planner +
                                              "\n  reward:\n    kind: imitation\n");
  write_file_atomic(run + "/provenance.json", R"({"version":"0.1.0"})");
  std::string validations, steps;
  for (int s = 10; s <= 30; s += 10) {
    results::ValidationRow row;
    row.step = s;
    row.stage = planner;
    row.split = "valid";
    row.decisions = 60;
    row.scores.acc = 0.1 * right + 0.001 * s + (bellman ? 0.05 * seed : 0);
    row.scores.macro_f1 = row.scores.acc / 2;
    row.scores.bias = 0.5;
    row.best = s < 30;
    validations += results::line_of(row) + "\n";
    steps += R"({"step":)" + std::to_string(s) + R"(,"stage":"q","loss":1})" + "\n";
  }
  write_file_atomic(run + "/evaluations.jsonl", validations);
  write_file_atomic(run + "/metrics.jsonl", steps);
  const auto rows = choices(right);
  metrics::EvaluationOptions o;
  o.strategy.strategies = kStrategies;
  o.bootstrap.replicates = 50;
  o.gamma = 0.85;
  metrics::Evaluation e;
  for (const char* name : kNames) e.strategies.push_back({name, ""});
  e.splits.emplace_back("test", metrics::evaluate_predictions(rows, o));
  e.baselines.emplace_back("test", metrics::baseline_reports(rows, rows, o));
  results::write_evaluation(run + "/evaluation.json", e);
  results::write_predictions(run + "/predictions/test.jsonl", rows);
  write_file_atomic(run + "/DONE", "");
}

// Right decisions of five, by seed.
using Rights = std::vector<int>;
std::string make_sweep(const TemporaryFolder& root, const Rights& bellman, const Rights& imitation,
                       const std::string& name = "mi_compare") {
  const std::string folder = root.path("results/" + name);
  std::string index =
      "point,state,learn.planner,learn.objective.bellman,learn.objective.ce,seed,"
      "kind,reason\n";
  const auto add = [&](const std::string& point, const std::string& planner, const char* weights,
                       const Rights& rights) {
    for (std::size_t i = 0; i < rights.size(); ++i) {
      const int seed = static_cast<int>(i) + 1;
      const std::string run = point + "_seed-" + std::to_string(seed);
      index += run + ",done," + planner + "," + weights + "," + std::to_string(seed) + ",,\n";
      write_run(folder + "/" + run, rights[i], seed, planner);
    }
  };
  add("bellman", "q", "1,0", bellman);
  add("imitation_ce", "ce", "0,1", imitation);
  write_file_atomic(folder + "/index.csv", index);
  return root.path("results");
}

ReportOptions options_in(const TemporaryFolder& root) {
  ReportOptions o;
  o.out = root.path("out");
  o.gnuplot = root.path("none");
  o.paper = "none";
  return o;
}

const Table& table_of(const ReportResult& r, const std::string& id) {
  for (const auto& t : r.tables) {
    if (t.id == id) return t;
  }
  throw std::runtime_error("no table " + id);
}

const Cell& cell_of(const Table& t, const std::vector<std::string>& row,
                    const std::string& column) {
  for (const auto& r : t.rows) {
    bool same = true;
    for (std::size_t i = 0; i < row.size(); ++i) same = same && r[i].text == row[i];
    if (!same) continue;
    for (std::size_t c = 0; c < t.columns.size(); ++c) {
      if (t.columns[c] == column) return r[c];
    }
  }
  throw std::runtime_error("no cell " + column + " in " + t.id);
}

bool noted(const Table& t, const std::string& part) {
  return std::any_of(t.notes.begin(), t.notes.end(),
                     [&](const auto& n) { return n.find(part) != std::string::npos; });
}

TEST(OwnCorpus, NamesOfPointsAreUsedInTablesSpreadAndFigures) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), options_in(root));
  EXPECT_TRUE(r.warnings.size() == 1 && r.warnings[0].find("gnuplot") != std::string::npos);
  const Table& methods = table_of(r, "table1_mi");
  EXPECT_NEAR(cell_of(methods, {"bellman"}, "Acc ↑").value["value"], 100 * 11 / 15.0, 1e-9);
  EXPECT_NEAR(cell_of(methods, {"imitation_ce"}, "Acc ↑").value["value"], 40, 1e-9);
  EXPECT_TRUE(noted(methods, "bellman is straQ*-imit"));
  EXPECT_TRUE(noted(methods, "imitation_ce is auto-regressive"));
  EXPECT_EQ(table_of(r, "seeds").rows[0][0].text, "bellman");
  EXPECT_EQ(cell_of(table_of(r, "table1_mi_tests"), {"bellman", "imitation_ce"}, "Metric").text,
            "Acc ↑");
  const std::string overlay = read_file(root.path("out/figures/validation-mi_compare-valid.gp"));
  EXPECT_NE(overlay.find("title 'bellman'"), std::string::npos) << overlay;
  EXPECT_NE(overlay.find("title 'imitation_ce'"), std::string::npos);
  // Three keys that go in step are one figure, by the names that stand for them.
  const std::string swept =
      read_file(root.path("out/figures/sensitivity-planner-mi_compare-test.gp"));
  EXPECT_NE(swept.find("'bellman' 0, 'imitation_ce' 1"), std::string::npos) << swept;
  EXPECT_FALSE(fs::exists(root.path("out/figures/sensitivity-ce-mi_compare-test.gp")));
  EXPECT_NE(read_file(root.path("out/report.md"))
                .find("In step with it: learn.objective.bellman, learn.objective.ce."),
            std::string::npos);
}

TEST(OwnCorpus, AMarkSaysWhenSeedsDoNotUpholdWhatDialoguesDo) {
  TemporaryFolder root;
  // Differences of 20, 20 and 60 points: t of 2.5 on two degrees of freedom.
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), options_in(root));
  const Table& methods = table_of(r, "table1_mi");
  EXPECT_EQ(emphasis_of(cell_of(methods, {"bellman"}, "Acc ↑")), Emphasis::noise_seeds);
  EXPECT_EQ(emphasis_of(cell_of(methods, {"imitation_ce"}, "Acc ↑")), Emphasis::noise_seeds);
  EXPECT_NE(cell_of(methods, {"bellman"}, "Acc ↑").text.find("≈s"), std::string::npos);
  EXPECT_TRUE(noted(methods, "≈s: dialogues uphold it, seeds do not"));
  const Table& tests = table_of(r, "table1_mi_tests");
  EXPECT_LT(cell_of(tests, {"bellman", "imitation_ce"}, "p").value, 0.001);
  EXPECT_NEAR(cell_of(tests, {"bellman", "imitation_ce"}, "p over seeds").value, 0.1296, 1e-3);
}

TEST(OwnCorpus, AnEvenLeadOfThreeSeedsStands) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {4, 4, 5}, {2, 2, 2}), options_in(root));
  EXPECT_EQ(emphasis_of(cell_of(table_of(r, "table1_mi"), {"bellman"}, "Acc ↑")), Emphasis::best);
}

TEST(OwnCorpus, TwoSeedsAreMarkedByDialoguesAndShownOneByOne) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {3, 5}, {2, 2}), options_in(root));
  EXPECT_EQ(emphasis_of(cell_of(table_of(r, "table1_mi"), {"bellman"}, "Acc ↑")), Emphasis::best);
  EXPECT_EQ(cell_of(table_of(r, "seeds"), {"bellman"}, "Acc t 95 %").text, "60.00; 100.00");
  EXPECT_EQ(cell_of(table_of(r, "table1_mi_tests"), {"bellman", "imitation_ce"}, "Over seeds").text,
            "20.00; 60.00");
  EXPECT_EQ(
      cell_of(table_of(r, "table1_mi_tests"), {"bellman", "imitation_ce"}, "p over seeds").text,
      "–");
}

TEST(OwnCorpus, IntervalsOverSeedsEndWhereTheMetricEnds) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), options_in(root));
  const Cell& t = cell_of(table_of(r, "seeds"), {"bellman"}, "Acc t 95 %");
  // 73.33 ± 57.37.
  EXPECT_NEAR(t.value[0], 15.96, 0.01);
  EXPECT_EQ(t.value[1], 100);
}

TEST(OwnCorpus, ChosenSettingsAreComparedOverDialoguesAndSeeds) {
  TemporaryFolder root;
  ReportOptions o = options_in(root);
  o.compare = {{"bellman", "imitation_ce"}, {"bellman_seed-3", "bellman_seed-1"}};
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), o);
  const Table& t = table_of(r, "compare");
  const std::vector<std::string> acc = {"bellman", "imitation_ce", "Acc %"};
  EXPECT_NEAR(cell_of(t, acc, "Difference").value, 100 / 3.0, 1e-9);
  EXPECT_EQ(cell_of(t, acc, "Over").text, "dialogues and seeds");
  EXPECT_EQ(cell_of(t, acc, "Seeds").text, "3 and 3, the same");
  // Dialogues are all alike: what is left is the t test of three differences, 33.33 ± 57.37; the
  // bootstrap finds its standard error to a hundredth.
  EXPECT_NEAR(cell_of(t, acc, "95 %").value[0], 100 / 3.0 - 57.37, 1.2);
  EXPECT_NEAR(cell_of(t, acc, "95 %").value[1], 100 / 3.0 + 57.37, 1.2);
  EXPECT_NEAR(cell_of(t, acc, "p").value, 0.1296, 0.005);
  for (const char* metric : {"macro-F1 %", "B"}) {
    EXPECT_FALSE(without_value(cell_of(t, {"bellman", "imitation_ce", metric}, "p"))) << metric;
  }
  // Two runs: one seed each, all 2^12 exchanges.
  const std::vector<std::string> runs = {"mi_compare/bellman_seed-3", "mi_compare/bellman_seed-1",
                                         "Acc %"};
  EXPECT_NEAR(cell_of(t, runs, "Difference").value, 40, 1e-9);
  EXPECT_EQ(cell_of(t, runs, "Over").text, "dialogues");
  EXPECT_NEAR(cell_of(t, runs, "p").value, 2 / 4096.0, 1e-12);
  EXPECT_NEAR(cell_of(t, runs, "p Holm").value, 4 / 4096.0, 1e-12) << "two pairs of one metric";
}

TEST(OwnCorpus, UnknownNamesAreRefusedWithWhatThereIs) {
  TemporaryFolder root;
  const std::string results = make_sweep(root, {3, 3, 5}, {2, 2, 2});
  ReportOptions o = options_in(root);
  o.proposed = "bogus";
  auto e = error_of([&] { write_report(results, o); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(e->full().find("bogus"), std::string::npos);
  EXPECT_NE(e->full().find("imitation_ce"), std::string::npos) << e->full();
  o.proposed = "imitation_ce";
  o.compare = {{"bellman", "belman"}};
  e = error_of([&] { write_report(results, o); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("--compare: nothing here is called \"belman\""), std::string::npos);
  EXPECT_FALSE(fs::exists(root.path("out"))) << "nothing half-written";
  o.compare.clear();
  const auto r = write_report(results, o);
  EXPECT_EQ(table_of(r, "table1_mi_tests").rows[0][0].text, "imitation_ce");
}

TEST(OwnCorpus, WithoutThePaperNothingIsSaidOfIt) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), options_in(root));
  EXPECT_EQ(table_of(r, "table1_mi").title, "Automatic metrics on mi");
  EXPECT_EQ(table_of(r, "table1_mi_tests").title, "Tests of automatic metrics on mi");
  for (const auto& t : r.tables) EXPECT_NE(t.id.rfind("findings", 0), 0u) << t.id;
  for (const char* file : {"report.md", "report.html"}) {
    const std::string whole = read_file(root.path("out/") + file);
    // Style sheet and script speak of paper to print on.
    const std::size_t body = whole.find("<body>");
    const std::string text =
        body == std::string::npos ? whole : whole.substr(body, whole.find("<script>") - body);
    for (const char* word : {"paper", "Paper", "Table 1", "Figure 5"}) {
      const std::size_t at = text.find(word);
      EXPECT_EQ(at, std::string::npos)
          << file << ": " << text.substr(at < 60 || at == std::string::npos ? 0 : at - 60, 140);
    }
  }
  for (const auto& missing : r.missing_tables) EXPECT_NE(missing.rfind("Table", 0), 0u) << missing;
  for (const auto& missing : r.missing_figures) {
    EXPECT_EQ(missing.find("discount"), std::string::npos) << missing;
  }
}

TEST(OwnCorpus, NothingIsMadeForEightStrategies) {
  TemporaryFolder root;
  const auto r = write_report(make_sweep(root, {3, 3, 5}, {2, 2, 2}), options_in(root));
  EXPECT_EQ(table_of(r, "strategies").rows.size(), std::size_t{6 * kStrategies});
  EXPECT_TRUE(noted(table_of(r, "value"), "(5p − 1) / (3p + 1)"));
  const std::string confusion =
      read_file(root.path("out/figures/confusion-mi_compare-bellman_seed-1-test.gp"));
  EXPECT_NE(confusion.find("'Information' 4)"), std::string::npos) << confusion;
  EXPECT_EQ(confusion.find(" 5)"), std::string::npos);
  EXPECT_TRUE(noted(table_of(r, "results_test"), "Repeat last chooses Open question"));
  // Chance: a planner that always answers alike is right at one of five.
  EXPECT_EQ(cell_of(table_of(r, "table1_mi"), {"[Majority strategy]"}, "Acc ↑").value["value"],
            20.0);
  const std::string calibration =
      read_file(root.path("out/figures/stages-mi_compare-bellman_seed-1-test.dat"));
  EXPECT_EQ(calibration.find("NaN"), std::string::npos) << calibration;
}

TEST(OwnCorpus, ValidationCurvesOfARunAndOfAllRuns) {
  TemporaryFolder root;
  const auto results = results::read_results(make_sweep(root, {3, 3, 5}, {2, 2, 2}));
  const auto one = validation_figures(*results.runs().front());
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].data,
            "# split valid\n# step acc macro_f1 bias best\n10 36 18 0.5 1\n20 37 18.5 0.5 1\n"
            "30 38 19 0.5 0\n\n\n");
  EXPECT_NE(one[0].caption.find("valid at 3 steps (n = 60 decisions)"), std::string::npos);
  const auto all = validation_overlays(results);
  ASSERT_EQ(all.size(), 1u);
  // Seeds 1, 2, 3 of bellman at step 10: 36, 41, 66 percent.
  const std::string first = "10 47.66666667 23.83333333 0.5 36 18 0.5 66 33 0.5\n";
  EXPECT_NE(all[0].data.find(first), std::string::npos) << all[0].data;
  EXPECT_NE(all[0].caption.find("mean of 3 seeds"), std::string::npos) << all[0].caption;
  EXPECT_NE(all[0].script.find("data index 0 using 1:5:8 with filledcurves"), std::string::npos)
      << all[0].script;
}

TEST(OwnCorpus, RunsMadeAgainAreLeftOutByDefault) {
  TemporaryFolder root;
  const std::string results = make_sweep(root, {3, 3, 5}, {2, 2, 2});
  write_run(results + "/reproduced/mi_compare_bellman_seed-1/seed-1", 3, 1, "q");
  ReportOptions o = options_in(root);
  const auto r = write_report(results, o);
  EXPECT_EQ(r.runs, 6);
  ASSERT_FALSE(r.remarks.empty());
  EXPECT_EQ(r.remarks[0].rfind("results/reproduced holds runs that were made again", 0), 0u);
  o.reproduced = true;
  EXPECT_EQ(write_report(results, o).runs, 7);
  // Named itself it is what is reported.
  EXPECT_EQ(write_report(results + "/reproduced", o).runs, 1);
}

// Settings of two experiments that would read alike are told apart by where they are from.
TEST(OwnCorpus, RowsThatReadAlikeSayWhereTheyAreFrom) {
  TemporaryFolder root;
  write_run(root.path("results/first/seed-1"), 3, 1, "q");
  write_run(root.path("results/second/seed-1"), 4, 1, "q");
  const auto r = write_report(root.path("results"), options_in(root));
  EXPECT_NO_THROW(cell_of(table_of(r, "table1_mi"), {"straQ*-imit of first"}, "Acc ↑"));
  EXPECT_NO_THROW(cell_of(table_of(r, "table1_mi"), {"straQ*-imit of second"}, "Acc ↑"));
}

TEST(OwnCorpus, KeysThatEndAlikeStayWholeAndAreDrawnApart) {
  TemporaryFolder root;
  std::string index = "point,state,learn.lr,pretrain.lr,seed,kind,reason\n";
  for (const char* lr : {"0.1", "0.2"}) {
    for (const char* pre : {"0.3", "0.4"}) {
      const std::string point = std::string("learn.lr-") + lr + "_pretrain.lr-" + pre + "_seed-1";
      index += point + ",done," + lr + "," + pre + ",1,,\n";
      write_run(root.path("results/grid/" + point), lr[2] - '0' + 2, 1, "q");
    }
  }
  write_file_atomic(root.path("results/grid/index.csv"), index);
  const auto r = write_report(root.path("results"), options_in(root));
  EXPECT_NO_THROW(
      cell_of(table_of(r, "table1_mi"), {"straQ*-imit, learn.lr=0.1, pretrain.lr=0.4"}, "Acc ↑"));
  for (const char* id : {"sensitivity-learn.lr-grid-test", "sensitivity-pretrain.lr-grid-test"}) {
    EXPECT_TRUE(fs::exists(root.path("out/figures/") + id + ".gp")) << id;
  }
  const std::string gp = read_file(root.path("out/figures/sensitivity-learn.lr-grid-test.gp"));
  EXPECT_NE(gp.find("title 'pretrain.lr=0.3'"), std::string::npos) << gp;
}

TEST(SettingNames, ShortLabelsCanBeToldApart) {
  EXPECT_EQ(short_setting("learn.gamma=0.5, model.shape=configs/shapes/tiny.yaml"),
            "gamma=0.5, shape=tiny");
  EXPECT_EQ(short_setting("learn.lr=0.1, pretrain.lr=0.2"), "learn.lr=0.1, pretrain.lr=0.2");
  EXPECT_EQ(short_settings({"m.shape=a/tiny.yaml", "m.shape=b/tiny.yaml", "m.shape=b/big.yaml"}),
            (std::vector<std::string>{"m.shape=a/tiny.yaml", "m.shape=b/tiny.yaml", "shape=big"}));
}

}  // namespace
}  // namespace straq::report
