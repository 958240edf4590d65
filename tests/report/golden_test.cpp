// The golden folder (golden/make.py says by which rules it was made): every table is regenerated
// from it and compared as text, every figure by its data and by the structure of its pictures.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/files/files.h"
#include "report/compare/explain.h"
#include "report/figures/figure_style.h"
#include "report/figures/gnuplot.h"
#include "report/report.h"
#include "report/rows/method_rows.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/paper_tables.h"
#include "results/read_files.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::source_path;
using straq::testing::TemporaryFolder;

std::string expected() {
  return source_path("tests/report/golden/expected");
}
bool updating() {
  return std::getenv("STRAQ_UPDATE_GOLDEN") != nullptr;
}

ReportOptions options(const std::string& out) {
  ReportOptions o;
  o.out = out;
  o.paper = source_path("configs/paper_reference.yaml");
  o.most_run_figures = 1;
  return o;
}

// The golden folder with the evaluation.json of every run that has predictions, from nothing but
// these.
void make_folder(const std::string& to) {
  fs::copy(source_path("tests/report/golden/folder"), to, fs::copy_options::recursive);
  metrics::EvaluationOptions o;
  o.bootstrap.replicates = 200;
  o.gamma = 0.85;
  const auto labels = nlohmann::json::parse(read_file(to + "/replies/sft/responses/direct.json"));
  std::vector<fs::path> runs;
  for (const auto& entry : fs::recursive_directory_iterator(to)) {
    if (entry.path().filename() == "test.jsonl") {
      runs.push_back(entry.path().parent_path().parent_path());
    }
  }
  for (const auto& run : runs) {
    const auto rows = results::read_predictions((run / "predictions/test.jsonl").string());
    metrics::Evaluation e;
    for (const auto& s : labels["strategies"]) {
      e.strategies.push_back({s["name"], s["abbreviation"]});
    }
    e.splits.emplace_back("test", metrics::evaluate_predictions(rows, o));
    e.baselines.emplace_back("test", metrics::baseline_reports(rows, rows, o));
    results::write_evaluation((run / "evaluation.json").string(), e);
  }
}

// Made once; STRAQ_GOLDEN_FOLDER names a place where it stays, for tests that run the program.
// Tables name files by the folder's own name, so it is always called "folder".
const std::string& folder() {
  static const TemporaryFolder root;
  static const std::string made = [] {
    const char* kept = std::getenv("STRAQ_GOLDEN_FOLDER");
    const std::string to = kept != nullptr ? kept : root.path("folder");
    make_folder(to);
    return to;
  }();
  return made;
}

std::set<std::string> files_in(const std::string& path) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(path)) {
    out.insert(entry.path().filename().string());
  }
  return out;
}

// Numbers of a CSV may differ in their last digits between compilers.
void expect_same_csv(const std::string& got, const std::string& want, const std::string& name) {
  std::size_t i = 0, j = 0;
  const auto field = [](const std::string& s, std::size_t& at) {
    const std::size_t end = std::min(s.find_first_of(",\n", at), s.size());
    const std::string f = s.substr(at, end - at);
    at = end + 1;
    return f;
  };
  while (i < got.size() && j < want.size()) {
    const std::string a = field(got, i), b = field(want, j);
    if (a == b) continue;
    char *end_a = nullptr, *end_b = nullptr;
    const double x = std::strtod(a.c_str(), &end_a), y = std::strtod(b.c_str(), &end_b);
    const bool numbers = !a.empty() && !b.empty() && *end_a == '\0' && *end_b == '\0';
    ASSERT_TRUE(numbers) << name << ": " << a << " instead of " << b;
    ASSERT_NEAR(x, y, 1e-9 * std::max(1.0, std::abs(y))) << name;
  }
  EXPECT_EQ(i >= got.size(), j >= want.size()) << name << " is longer or shorter";
}

class Golden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = new TemporaryFolder;
    result_ = new ReportResult(write_report(folder(), options(root_->path("out"))));
  }
  static void TearDownTestSuite() {
    delete result_;
    delete root_;
  }
  static std::string out(const std::string& name) { return root_->path("out/" + name); }
  static const Table& table(const std::string& id) {
    for (const auto& t : result_->tables) {
      if (t.id == id) return t;
    }
    throw std::runtime_error("no table " + id);
  }
  // The first row whose leading cells are these; the cell of a column.
  static const Cell& cell(const std::string& id, const std::vector<std::string>& row,
                          const std::string& column) {
    const Table& t = table(id);
    for (const auto& r : t.rows) {
      bool same = true;
      for (std::size_t i = 0; i < row.size(); ++i) same = same && r[i].text == row[i];
      if (!same) continue;
      for (std::size_t c = 0; c < t.columns.size(); ++c) {
        if (t.columns[c] == column) return r[c];
      }
    }
    throw std::runtime_error("no cell " + column + " in " + id);
  }
  static bool noted(const std::string& id, const std::string& part) {
    for (const auto& note : table(id).notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }
  static TemporaryFolder* root_;
  static ReportResult* result_;
};
TemporaryFolder* Golden::root_ = nullptr;
ReportResult* Golden::result_ = nullptr;

TEST_F(Golden, EveryTableIsAsRecorded) {
  if (updating()) {
    fs::remove_all(expected());
    fs::create_directories(expected());
    fs::copy(out("tables"), expected() + "/tables");
    fs::create_directories(expected() + "/figures");
    for (const auto& name : files_in(out("figures"))) {
      if (name.ends_with(".dat")) {
        fs::copy(out("figures/" + name), expected() + "/figures/" + name);
      }
    }
  }
  EXPECT_EQ(files_in(out("tables")), files_in(expected() + "/tables"));
  for (const auto& name : files_in(expected() + "/tables")) {
    const std::string got = read_file(out("tables/" + name));
    const std::string want = read_file(expected() + "/tables/" + name);
    if (name.ends_with(".csv")) {
      expect_same_csv(got, want, name);
    } else {
      EXPECT_EQ(got, want) << name;
    }
  }
}

TEST_F(Golden, Table1ByHand) {
  // straQ*-imit is right at 3 of 4 decisions of every dialogue, direct at 1.
  EXPECT_EQ(cell("table1", {"straQ*-imit", "base"}, "Acc ↑").value["value"], 75.0);
  EXPECT_EQ(cell("table1", {"Direct", "base"}, "Acc ↑").value["value"], 25.0);
  EXPECT_EQ(cell("table1", {"straQ*-distill", "base"}, "Acc ↑").value["value"], 100 * 17 / 32.0);
  EXPECT_EQ(paper_text(cell("table1", {"straQ*-imit", "base"}, "Acc ↑")), "46.83");
  EXPECT_EQ(cell("table1", {"straQ*-imit", "base"}, "n").text, "32");
  // Right replies are the references, wrong ones share no word with them.
  EXPECT_GT(cell("table1", {"straQ*-imit", "base"}, "R-L ↑").value["value"],
            cell("table1", {"FSM", "base"}, "R-L ↑").value["value"]);
  // In the paper and not here; here and not in the paper.
  EXPECT_EQ(cell("table1", {"Direct-Refine", "base"}, "Acc ↑").text, "missing");
  EXPECT_EQ(paper_text(cell("table1", {"Direct-Refine", "base"}, "Acc ↑")), "17.08");
  EXPECT_TRUE(noted("table1", "Direct-Refine (base)"));
  EXPECT_TRUE(noted("table1", "CoT (SFT)"));
  EXPECT_EQ(paper_text(cell("table1", {"w/ value head", "–"}, "Acc ↑")), "");
}

TEST_F(Golden, SeedsAreAggregatedApartFromSampling) {
  // Right at 24 and at 22 of 32: mean 71.875, sd over two seeds 6.25 / sqrt(2).
  const Cell& c = cell("table1", {"straQ*-imit", "–"}, "Acc ↑");
  EXPECT_EQ(c.value["value"], 71.875);
  EXPECT_NEAR(c.value["seed_sd"], 6.25 / std::sqrt(2.0), 1e-9);
  EXPECT_EQ(c.value["seeds"], 2);
  EXPECT_TRUE(c.value.contains("low"));
  EXPECT_EQ(cell("table1", {"straQ*-imit", "–"}, "Runs").text, "planners/imit-1, planners/imit-2");
}

TEST_F(Golden, OnlyWhatATestUpholdsStandsOut) {
  // Against five others on eight dialogues: 2/256 each, times 5 by Holm: 0.039.
  EXPECT_EQ(emphasis_of(cell("table1", {"straQ*-imit", "base"}, "Acc ↑")), Emphasis::best);
  EXPECT_NEAR(cell("table1_tests", {"straQ*-imit", "Direct", "base", "Acc ↑"}, "p").value,
              2 / 256.0, 1e-12);
  EXPECT_NEAR(cell("table1_tests", {"straQ*-imit", "Direct", "base", "Acc ↑"}, "p Holm").value,
              10 / 256.0, 1e-12);
  // One decision of 32 apart: the second of the base block does not beat the third …
  EXPECT_EQ(emphasis_of(cell("table1", {"straQ*-distill", "base"}, "Acc ↑")), Emphasis::none);
  // … and the best of the SFT block does not beat its second.
  EXPECT_EQ(emphasis_of(cell("table1", {"straQ*-imit", "SFT"}, "Acc ↑")), Emphasis::noise);
  EXPECT_EQ(emphasis_of(cell("table1", {"straQ*-distill", "SFT"}, "Acc ↑")), Emphasis::noise);
  EXPECT_NE(cell("table1", {"straQ*-distill", "SFT"}, "Acc ↑").text.find("≈"), std::string::npos);
  // B is never ranked.
  for (const auto& row : table("table1").rows) {
    EXPECT_EQ(emphasis_of(row[4]), Emphasis::none) << row[0].text;
  }
}

TEST_F(Golden, AblationsAndZeroShotRepliesAreTested) {
  // The ablations' replies stand beside the method's under the same responder, whose the paper's
  // are; the method under another responder and settings of a sweep are no ablations.
  EXPECT_EQ(paper_text(cell("table5", {"w/ value head", "SFT"}, "B-2 ↑")), "6.74");
  EXPECT_EQ(cell("table5", {"w/ value head", "SFT"}, "R-L ↑").value["value"],
            cell("table1", {"Direct", "base"}, "R-L ↑").value["value"])
      << "right at the same decisions";
  EXPECT_EQ(emphasis_of(cell("table5", {"straQ*-imit", "SFT"}, "R-L ↑")), Emphasis::noise);
  EXPECT_EQ(emphasis_of(cell("table5", {"auto-regressive", "SFT"}, "R-L ↑")), Emphasis::noise);
  EXPECT_EQ(emphasis_of(cell("table5", {"w/ value head", "SFT"}, "R-L ↑")), Emphasis::none);
  EXPECT_EQ(table("table5").rows.size(), 6u);
  // Two methods on eight dialogues: nothing to correct for.
  EXPECT_NEAR(cell("table2_tests", {"straQ*-imit", "Direct", "–", "CIDEr"}, "p Holm").value,
              2 / 256.0, 1e-12);
}

TEST_F(Golden, RewardsAndValuesByHand) {
  // 24 right decisions at 5 and 8 wrong ones at 2.
  EXPECT_EQ(cell("table4", {"straQ*-imit", "SFT"}, "Reward").value["value"], 4.25);
  // One answer of 32 could not be read: it was a right one of 16 right and 16 wrong.
  EXPECT_EQ(cell("table4", {"Direct", "SFT"}, "Reward").value["value"], (15 * 5 + 16 * 2) / 31.0);
  EXPECT_EQ(cell("table4", {"Direct", "SFT"}, "Unreadable").text, "1");
  EXPECT_EQ(cell("table4", {"Original dataset", "–"}, "Reward").value["value"], 4.0);
  // Q of the chosen is the return plus 0.1.
  const double mean_return = (1 + 1.85 + 2.5725 + 3.186625) / 4;
  EXPECT_NEAR(cell("table4", {"straQ*-imit", "–"}, "Mean return").value["value"], mean_return,
              1e-9);
  EXPECT_NEAR(cell("table4", {"straQ*-imit", "–"}, "Mean Q chosen").value["value"],
              mean_return + 0.1, 1e-9);
  EXPECT_NEAR(cell("table4", {"straQ*-imit", "–"}, "Spearman Q, return").value["value"], 1, 1e-9);
  EXPECT_EQ(cell("table4", {"straQ*-imit", "SFT"}, "Value paper").text, "445.95†");
  EXPECT_TRUE(noted("table4", "the number of decisions left"));
}

TEST_F(Golden, RatingsScoresAndDatasetByHand) {
  // Four replies: the first rater gives 4, the second 4, 3, 4, 3.
  EXPECT_EQ(cell("table3", {"straQ*-distill", "SFT"}, "Fluency").value["value"], 3.75);
  EXPECT_EQ(cell("table3", {"straQ*-distill", "SFT"}, "Ratings").text, "8");
  EXPECT_EQ(cell("table3", {"straQ*-distill", "SFT"}, "Raters").text, "2");
  EXPECT_EQ(cell("table3", {"straQ*-imit", "SFT"}, "Fluency").text, "missing");
  // Ordinal alpha of the units 44 43 44 43 33 32 33 32, from the coincidence matrix by hand.
  EXPECT_NEAR(cell("table3", {"[Krippendorff's alpha]"}, "Fluency").value, 0.5044642857142858,
              1e-12);
  EXPECT_EQ(cell("table3", {"[Krippendorff's alpha]"}, "Interesting").text, "–")
      << "nobody rated it";
  // One point better in all 8 pairs; of the 16 exchanges of 4 dialogues two are as far apart.
  EXPECT_EQ(
      cell("table3_pairs", {"straQ*-distill (SFT)", "Original dataset", "Fluency"}, "Win").text,
      "8");
  EXPECT_EQ(
      cell("table3_pairs", {"straQ*-distill (SFT)", "Original dataset", "Fluency"}, "p").value,
      2 / 16.0);
  EXPECT_EQ(emphasis_of(cell("table3", {"straQ*-distill", "SFT"}, "Fluency")), Emphasis::noise)
      << "four dialogues uphold nothing";
  // Four decisions a strategy, all 4; the two unreadable ones are the first of dialogue 0: gold
  // 0, 2.
  EXPECT_EQ(cell("table11", {"Que."}, "Count").text, "3");
  EXPECT_EQ(cell("table11", {"Inf."}, "Count").text, "4");
  EXPECT_EQ(cell("table11", {"total"}, "Count").text, "30");
  EXPECT_EQ(cell("table11", {"total"}, "Avg").text, "4.00");
  EXPECT_EQ(paper_text(cell("table8", {"fear"}, "all")), "95");
  EXPECT_TRUE(noted("table8", "In the paper only: anger, anxiety"));
  EXPECT_EQ(cell("table10", {"sessions"}, "esconv").text, "8");
  EXPECT_EQ(paper_text(cell("table10", {"sessions"}, "esconv")), "1.3K");
}

TEST_F(Golden, TheCaseStudySumsRewardsToTheEnd) {
  // straQ*-imit (SFT) earns 5, 5, 5, 2.
  const Table& t = table("table6");
  std::vector<double> values;
  for (const auto& row : t.rows) {
    if (row[1].text == "straQ*-imit (SFT)") values.push_back(row[5].value);
  }
  ASSERT_EQ(values.size(), 4u);
  EXPECT_NEAR(values[3], 2, 1e-12);
  EXPECT_NEAR(values[2], 5 + 0.85 * 2, 1e-12);
  EXPECT_NEAR(values[1], 5 + 0.85 * 6.7, 1e-12);
  EXPECT_NEAR(values[0], 5 + 0.85 * 10.695, 1e-12);
  EXPECT_EQ(t.rows[0][1].text, "seeker");
}

TEST_F(Golden, WhatIsBrokenIsNamedAndTheRestIsReported) {
  const std::string md = read_file(out("tables/overview.md"));
  for (const char* part :
       {"diverged at step 7", "not started", "metrics.jsonl:2: the last line is half-written",
        "evaluation.json: its format is 3, this program reads 1 to 2",
        "cut.jsonl:32: the last line is half-written", "newer.json: its format is 9",
        "wrong.jsonl:1: \"overall\" must lie between 1 and 5"}) {
    std::string escaped = part;
    EXPECT_NE(md.find(escaped), std::string::npos) << part << " in\n" << md;
  }
}

TEST_F(Golden, FiguresHaveTheirDataAndThreePicturesEach) {
  if (!gnuplot_version("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  std::set<std::string> ids;
  for (const auto& name : files_in(out("figures"))) {
    if (name.ends_with(".dat")) ids.insert(name.substr(0, name.size() - 4));
  }
  // One run with all of its own figures, gamma with five panels, model sizes.
  for (const char* id : {"loss-gamma-g0.5-1", "training-gamma-g0.5-1", "throughput-gamma-g0.5-1",
                         "confusion-gamma-g0.5-1-test", "transition-gamma-g0.5-1-test",
                         "calibration-gamma-g0.5-1-test", "stages-gamma-g0.5-1-test",
                         "reliability-gamma-g0.5-1-test", "sensitivity-gamma-gamma-test",
                         "sensitivity-shape-sizes-test", "sensitivity-planner-planners-test",
                         "sensitivity-kind-planners-test"}) {
    EXPECT_EQ(ids.count(id), 1u) << id;
  }
  EXPECT_EQ(ids.size(), 12u);
  for (const auto& id : ids) {
    EXPECT_EQ(read_file(out("figures/" + id + ".dat")),
              read_file(expected() + "/figures/" + id + ".dat"))
        << id;
    const std::string svg = read_file(out("figures/" + id + ".svg"));
    EXPECT_EQ(svg.rfind("<?xml", 0), 0u) << id;
    EXPECT_NE(svg.find("</svg>"), std::string::npos) << id;
    EXPECT_NE(svg.find("<path"), std::string::npos) << id << " has nothing drawn";
    EXPECT_EQ(read_file(out("figures/" + id + ".png")).rfind("\x89PNG", 0), 0u) << id;
    const std::string pdf = read_file(out("figures/" + id + ".pdf"));
    EXPECT_EQ(pdf.rfind("%PDF", 0), 0u) << id;
    EXPECT_NE(pdf.find("%%EOF"), std::string::npos) << id;
  }
  const std::string svg = read_file(out("figures/sensitivity-shape-sizes-test.svg"));
  for (const char* label : {"tiny", "small"}) EXPECT_NE(svg.find(label), std::string::npos);
}

// 100 settings of 5 seeds, some of them failed, half-written or not begun; bench/report_bench.sh
// measures how long such a folder takes.
TEST(GoldenSize, FiveHundredPointsAreReportedCompletely) {
  TemporaryFolder root;
  const fs::path from = fs::path(folder()) / "planners" / "imit-1";
  std::string steps;
  for (int s = 1; s <= 100; ++s) {
    steps += R"({"step":)" + std::to_string(s) +
             R"(,"stage":"q","loss":1.5,"grad_norm":3.5})"
             "\n";
  }
  const auto put = [](const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  };
  std::string index = "point,state,learn.lr,seed,reason\n";
  for (int p = 0; p < 500; ++p) {
    const std::string point = "p" + std::to_string(p);
    index += point + ",done," + std::to_string(p / 5) + "," + std::to_string(p % 5) + ",\n";
    if (p % 100 == 99) continue;  // planned, never begun
    const fs::path to = root.path("results/sweep/" + point);
    fs::create_directories(to);
    put(to / "metrics.jsonl", p % 100 == 98 ? steps.substr(0, steps.size() - 9) : steps);
    fs::copy(from / "config.yaml", to / "config.yaml");
    if (p % 100 == 98) continue;
    if (p % 100 == 97) {
      put(to / "FAILED", "out of memory\n");
      continue;
    }
    for (const char* name : {"provenance.json", "evaluation.json", "predictions", "DONE"}) {
      fs::copy(from / name, to / name, fs::copy_options::recursive);
    }
  }
  put(root.path("results/sweep/index.csv"), index);
  ReportOptions o = options(root.path("out"));
  const auto r = write_report(root.path("results"), o);
  EXPECT_EQ(r.runs, 500);
  const auto rows_of = [&](const std::string& id) -> const std::vector<std::vector<Cell>>& {
    const auto at =
        std::find_if(r.tables.begin(), r.tables.end(), [&](const Table& t) { return t.id == id; });
    if (at == r.tables.end()) throw std::runtime_error("no table " + id);
    return at->rows;
  };
  std::map<std::string, int> states;
  for (const auto& row : rows_of("overview")) ++states[row[2].text];
  EXPECT_EQ(states, (std::map<std::string, int>{
                        {"done", 485}, {"failed", 5}, {"unfinished", 5}, {"not started", 5}}));
  EXPECT_EQ(rows_of("results_test").size(), 503u) << "with three trivial planners";
  EXPECT_EQ(rows_of("seeds").size(), 100u);
  EXPECT_TRUE(fs::exists(root.path("out/tables/table1.tex")));
  EXPECT_NE(read_file(r.html).find("run-sweep-p499"), std::string::npos) << "a page for every run";
}

// The number behind a word: 8 of "\\fontsize{8}{9}".
double number_after(const std::string& text, const std::string& word, std::size_t from = 0) {
  const std::size_t at = text.find(word, from);
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + word.size(), nullptr);
}

// Every table in one article of two columns, as a paper would input them.
TEST_F(Golden, LatexTablesGoIntoAnArticleOfTwoColumns) {
  std::string document =
      "\\documentclass[twocolumn]{article}\n\\usepackage[T1]{fontenc}\n"
      "\\usepackage[utf8]{inputenc}\n\\usepackage{booktabs,array}\n\\begin{document}\n";
  std::size_t tables = 0;
  for (const auto& name : files_in(out("tables"))) {
    if (!name.ends_with(".tex")) continue;
    ++tables;
    const std::string tex = read_file(out("tables/" + name));
    for (const char* part : {"\\begin{table", "\\toprule", "\\midrule", "\\bottomrule",
                             "\\end{tabular}", "\\caption{", "\\label{tab:", "\\end{table"}) {
      EXPECT_NE(tex.find(part), std::string::npos) << name << " has no " << part;
    }
    // Nothing shrinks the type, and nothing small is asked for.
    EXPECT_EQ(tex.find("resizebox"), std::string::npos) << name;
    for (std::size_t at = 0; (at = tex.find("\\fontsize{", at)) != std::string::npos; ++at) {
      EXPECT_GE(number_after(tex, "\\fontsize{", at), 7) << name;
    }
    EXPECT_EQ(tex.find("\\caption{Table"), std::string::npos) << name << ": LaTeX counts";
    // As many cells in each row as the head of its part has columns.
    std::size_t columns = 0;
    std::istringstream lines(tex);
    for (std::string line; std::getline(lines, line);) {
      if (line == "\\toprule") columns = 0;
      if (!line.ends_with("\\\\") || line.starts_with("%")) continue;
      std::size_t cells = 1;
      for (std::size_t at = 0; (at = line.find(" & ", at)) != std::string::npos; at += 3) ++cells;
      if (columns == 0) columns = cells;
      EXPECT_EQ(cells, columns) << name << ": " << line;
    }
    document += "\\input{" + out("tables/" + name) + "}\n\\clearpage\n";
  }
  EXPECT_GE(tables, 18u);
  if (std::system("pdflatex --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "pdflatex is not installed: the tables' structure was checked, not compiled";
  }
  write_file_atomic(root_->path("all.tex"), document + "\\end{document}\n");
  // Without pictures of letters: what is looked at is whether everything fits.
  const std::string command = "cd '" + root_->path() +
                              "' && pdflatex -draftmode -interaction=nonstopmode -halt-on-error "
                              "all.tex > pdflatex.out 2>&1";
  const int status = std::system(command.c_str());
  const std::string said = read_file(root_->path("pdflatex.out"));
  EXPECT_EQ(status, 0) << said.substr(said.size() > 1500 ? said.size() - 1500 : 0);
  EXPECT_EQ(said.find("Missing character"), std::string::npos);
  for (std::size_t at = 0; (at = said.find("Overfull \\hbox (", at)) != std::string::npos; ++at) {
    EXPECT_LT(number_after(said, "Overfull \\hbox (", at), 1) << said.substr(at, 400);
  }
}

TEST_F(Golden, LatexHoldsWhatAPaperShowsAndNoMore) {
  const std::string tex = read_file(out("tables/table1.tex"));
  const std::string shown = tex.substr(0, tex.find("% What the report says"));
  for (const char* part : {"planners/", "missing", "46.83", "Runs"}) {
    EXPECT_EQ(shown.find(part), std::string::npos) << part << " in\n" << shown;
  }
  EXPECT_NE(tex.find("% Missing in the results folder"), std::string::npos) << "as a comment";
  EXPECT_NE(shown.find("\\caption{Automatic metrics on ESConv}"), std::string::npos) << shown;
  EXPECT_NE(shown.find("bold: best"), std::string::npos) << shown;
  ReportOptions o = options(root_->path("chosen"));
  o.gnuplot = root_->path("none");
  o.latex.columns = {"macro_f1", "acc"};
  o.latex.interval = LatexInterval::none;
  o.methods = {"markov1", "sft/straq_imit", "Direct (SFT)"};
  write_report(folder(), o);
  const std::string chosen = read_file(root_->path("chosen/tables/table1.tex"));
  EXPECT_NE(chosen.find("Method & Responder & \\shortstack[r]{macro-F1\\\\(Q) $\\uparrow$} & Acc "
                        "$\\uparrow$ \\\\\n"),
            std::string::npos)
      << chosen;
  const std::size_t markov = chosen.find("{[}Markov-1"), imit = chosen.find("straQ*-imit & SFT"),
                    direct = chosen.find("Direct & SFT");
  EXPECT_LT(markov, imit);
  EXPECT_LT(imit, direct);
  EXPECT_NE(direct, std::string::npos) << chosen;
  EXPECT_EQ(chosen.substr(0, chosen.find("% What")).find("$\\pm$"), std::string::npos);
  o.methods = {"nobody"};
  auto e = error_of([&] { write_report(folder(), o); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("--methods: there is no method \"nobody\""), std::string::npos);
  o.methods.clear();
  o.latex.columns = {"speed"};
  e = error_of([&] { write_report(folder(), o); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("macro_f1"), std::string::npos);
}

TEST_F(Golden, AStyleOfTheUsersIsLoadedAndNeverWritten) {
  if (!gnuplot_version("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  ReportOptions o = options(root_->path("styled"));
  const std::string mine = "color1 = '#123456'\npage_width = 5.0\n";
  write_file_atomic(root_->path("styled/style.gp"), mine);
  write_file_atomic(root_->path("house.gp"), "color1 = '#654321'\ncolumn_width = 3.0\n");
  o.style = root_->path("house.gp");
  write_report(folder(), o);
  EXPECT_EQ(read_file(root_->path("styled/style.gp")), mine);
  const std::string id = "sensitivity-gamma-gamma-test";
  const std::string svg = read_file(root_->path("styled/figures/" + id + ".svg"));
  EXPECT_NE(svg.find("rgb( 18,  52,  86)"), std::string::npos) << "the folder's own comes last";
  // 3.0 and 5.0 inches of 72 points; 3.3 and 6.9 without a style.
  const auto width = [&](const std::string& name) {
    return number_after(read_file(root_->path(name)), "/MediaBox [ 0 0 ");
  };
  EXPECT_NEAR(width("styled/figures/" + id + ".pdf"), 360, 1);
  EXPECT_NEAR(width("styled/figures/" + id + "-column.pdf"), 216, 1);
  EXPECT_NEAR(width("out/figures/" + id + ".pdf"), 6.9 * 72, 1.5);
  EXPECT_NEAR(width("out/figures/" + id + "-column.pdf"), 3.3 * 72, 1.5);
  // A report without it takes its copy away, and leaves the user's file.
  o.style.clear();
  write_report(folder(), o);
  EXPECT_FALSE(fs::exists(root_->path("styled/figures/style.gp")));
  EXPECT_EQ(read_file(root_->path("styled/style.gp")), mine);
}

TEST_F(Golden, PicturesAreTheSameOfEveryReport) {
  if (!gnuplot_version("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  ReportOptions o = options(root_->path("again"));
  write_report(folder(), o);
  for (const auto& name : files_in(out("figures"))) {
    if (!name.ends_with(".pdf")) continue;
    const std::string pdf = read_file(out("figures/" + name));
    EXPECT_NE(pdf.find("/CreationDate (D:20000101000000"), std::string::npos) << name;
    EXPECT_EQ(pdf, read_file(root_->path("again/figures/" + name))) << name;
  }
}

TEST_F(Golden, ACellSaysWhereItComesFrom) {
  const Table t = explain(folder(), {"table1", "imit-1", "Acc"});
  ASSERT_EQ(t.rows.size(), 1u);
  EXPECT_EQ(t.rows[0][1].text, "planners/imit-1");
  EXPECT_EQ(t.rows[0][2].text, "evaluation.json");
  EXPECT_EQ(t.rows[0][3].text, "splits.test.strategy.acc");
  EXPECT_EQ(t.rows[0][4].value, 75.0);
  const Table both = explain(folder(), {"table1", "sft/direct", "bleu2"});
  ASSERT_EQ(both.rows.size(), 1u);
  EXPECT_EQ(both.rows[0][2].text, "responses/direct.jsonl");
  EXPECT_EQ(explain(folder(), {"table4", "sft/direct", "reward"}).rows[0][2].text,
            "judge/direct.jsonl");
  for (const ExplainOptions& wrong :
       {ExplainOptions{"table99", "imit-1", "acc"}, ExplainOptions{"table1", "nobody", "acc"},
        ExplainOptions{"table1", "imit-1", "speed"}}) {
    const auto e = error_of([&] { explain(folder(), wrong); });
    ASSERT_TRUE(e) << wrong.table;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(e->full().find("--explain"), std::string::npos) << e->full();
  }
  // On the page a number leads to its run, and each run's name to its own.
  const std::string html = read_file(out("report.html"));
  EXPECT_NE(html.find("<a class=\"cell\" href=\"#run-replies-base\">"), std::string::npos);
  EXPECT_NE(html.find("<a href=\"#run-planners-imit-2\">planners/imit-2</a>"), std::string::npos);
}

TEST_F(Golden, AReportNamesItsProgramAndAHashOfWhatItRead) {
  EXPECT_EQ(result_->inputs_sha256.size(), 64u);
  const auto json = nlohmann::json::parse(read_file(out("report.json")));
  EXPECT_EQ(json["read"]["sha256"], result_->inputs_sha256);
  EXPECT_EQ(json["version"], "straq");
  for (const char* file : {"report.md", "report.html"}) {
    EXPECT_NE(read_file(out(file)).find(result_->inputs_sha256), std::string::npos) << file;
  }
  // Another byte anywhere is another hash.
  const TemporaryFolder copy;
  fs::copy(folder(), copy.path("folder"), fs::copy_options::recursive);
  EXPECT_EQ(results::files_read(results::read_results(copy.path("folder"))).sha256,
            result_->inputs_sha256);
  std::ofstream(copy.path("folder/planners/imit-2/predictions/test.jsonl"), std::ios::app) << "\n";
  EXPECT_NE(results::files_read(results::read_results(copy.path("folder"))).sha256,
            result_->inputs_sha256);
}

TEST(GoldenRanking, BAloneIsRefusedWithTheReason) {
  TemporaryFolder root;
  ReportOptions o = options(root.path("out"));
  o.rank_by = "b";
  const auto e = error_of([&] { write_report(folder(), o); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(e->full().find("at random has a B near 0.12"), std::string::npos);
  EXPECT_FALSE(fs::exists(root.path("out"))) << "nothing half-written";
  o.rank_by = "speed";
  error_of([&] { write_report(folder(), o); });
}

TEST(GoldenRanking, ByAccTheBestComesFirst) {
  const Methods m = gather_methods(results::read_results(folder()));
  const auto tables =
      table1(m, read_paper_reference(source_path("configs/paper_reference.yaml")), {"acc", ""});
  double last = 101;
  std::size_t ours = 0;
  for (const auto& row : tables[0].rows) {
    if (without_value(row[2]) || row[0].text.rfind('[', 0) == 0) continue;
    EXPECT_LE(row[2].value["value"].get<double>(), last);
    last = row[2].value["value"];
    ++ours;
  }
  EXPECT_GT(ours, 10u);
}

}  // namespace
}  // namespace straq::report
