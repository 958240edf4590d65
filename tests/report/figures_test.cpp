// Figures by what they say and rest on: names as the paper has them, error bars only where there
// is a spread, and what is not there by name.
#include "report/figures/figures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "report/contents.h"
#include "report/report.h"
#include "results/rows/evaluation.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

namespace fs = std::filesystem;
using straq::testing::source_path;
using straq::testing::TemporaryFolder;

// Two discounts, three seeds each; seed 1 of each has replies, and all seeds of the second have.
std::string sweep_in(const TemporaryFolder& root) {
  const std::string e = root.path("results/gamma");
  std::string index = "point,state,learn.gamma,seed,reason\n";
  for (const char* gamma : {"0.5", "0.9"}) {
    for (int seed = 1; seed <= 3; ++seed) {
      const std::string point = std::string("g") + gamma + "-" + std::to_string(seed);
      index += point + ",done," + gamma + "," + std::to_string(seed) + ",\n";
      results::golden::finished_run(e + "/" + point, seed);
      write_file_atomic(e + "/" + point + "/config.yaml",
                        "learn:\n  reward: {kind: imitation}\n  planner: q\n");
      if (gamma[2] == '5' && seed > 1) continue;
      std::string rows;
      for (int i = 0; i < 6; ++i) {
        rows += R"({"id":"d)" + std::to_string(i) + R"(:1","dialogue":"d)" + std::to_string(i) +
                R"(","hypothesis":"how do you )" + (i < seed ? "feel" : "cope") +
                R"( today","reference":"how do you feel today"})" + "\n";
      }
      write_file_atomic(e + "/" + point + "/responses/straq_imit.jsonl", rows);
    }
  }
  write_file_atomic(e + "/index.csv", index);
  return root.path("results");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool has(const std::vector<std::string>& list, const std::string& begins) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& m) { return m.rfind(begins, 0) == 0; });
}

std::vector<std::string> missing_figures(const results::Results& results,
                                         const std::vector<Figure>& figures) {
  std::vector<std::string> out;
  for (const Absent& a : absent_figures(results, figures)) out.push_back(a.line());
  return out;
}

TEST(SensitivityFigure, BarsOfRepliesCountTheRunsThatHaveReplies) {
  TemporaryFolder root;
  const auto figures = sensitivity_figures(results::read_results(sweep_in(root)), "learn.gamma");
  ASSERT_EQ(figures.size(), 1u);
  const Figure& f = figures[0];
  const auto lines = lines_of(f.data);
  ASSERT_GE(lines.size(), 4u);
  EXPECT_TRUE(lines[1].ends_with("rouge_l rouge_l_sd reply_seeds (all but bias in percent)"));
  // Three runs at both discounts; replies of one at the first and of three at the second.
  EXPECT_EQ(lines[2].rfind("0.5 3 ", 0), 0u) << lines[2];
  EXPECT_TRUE(lines[2].ends_with(" 0 1")) << "no spread, one run: " << lines[2];
  EXPECT_EQ(lines[3].rfind("0.9 3 ", 0), 0u) << lines[3];
  EXPECT_TRUE(lines[3].ends_with(" 3")) << lines[3];
  EXPECT_NE(f.script.find("($2 > 1 ? $3 : 1/0):4 with yerrorbars"), std::string::npos);
  EXPECT_NE(f.script.find("($13 > 1 ? $9 : 1/0):10 with yerrorbars"), std::string::npos);
  EXPECT_NE(f.script.find("($13 > 1 ? $11 : 1/0):12 with yerrorbars"), std::string::npos);
  EXPECT_EQ(f.caption.rfind("Acc, macro-F1 and B on test (n = 16 decisions)", 0), 0u) << f.caption;
  EXPECT_EQ(f.as_paper, "Figure 5");
  EXPECT_NE(f.caption.find("Each point is the mean of 3 seeds"), std::string::npos) << f.caption;
  EXPECT_NE(f.caption.find("(n = 6): each point is the mean of 1 to 3 seeds"), std::string::npos)
      << f.caption;
}

TEST(SensitivityFigure, DecisionsOfAllRunsAreCountedNotOfTheLast) {
  TemporaryFolder root;
  const std::string results = sweep_in(root);
  auto short_run = results::golden::evaluation(2);
  short_run.splits[0].second.strategy.n = 12;
  results::write_evaluation(results + "/gamma/g0.5-1/evaluation.json", short_run);
  const auto figures = sensitivity_figures(results::read_results(results), "learn.gamma");
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_NE(figures[0].caption.find("(n = 12 to 16 decisions)"), std::string::npos)
      << figures[0].caption;
}

TEST(SensitivityFigure, WithoutRepliesOfThePlannerThereAreNoEmptyPanels) {
  TemporaryFolder root;
  const std::string results = sweep_in(root);
  for (const auto& entry : fs::recursive_directory_iterator(results)) {
    if (entry.path().filename() != "straq_imit.jsonl") continue;
    // Somebody else's replies say nothing of this planner.
    fs::rename(entry.path(), entry.path().parent_path() / "cot.jsonl");
  }
  const results::Results read = results::read_results(results);
  const auto figures = sensitivity_figures(read, "learn.gamma");
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].script.find("B-2"), std::string::npos);
  EXPECT_TRUE(has(missing_figures(read, figures),
                  "sensitivity to discount (γ), B-2 and R-L (as the paper's Figure 5): no run of"));
}

TEST(SensitivityFigure, RepliesToAnotherSplitAreNotDrawn) {
  TemporaryFolder root;
  const std::string results = sweep_in(root);
  for (const char* point : {"g0.5-1", "g0.9-1", "g0.9-2", "g0.9-3"}) {
    write_file_atomic(results + "/gamma/" + point + "/responses/straq_imit.json",
                      R"({"format": 1, "method": "straq_imit", "split": "valid"})");
  }
  const auto figures = sensitivity_figures(results::read_results(results), "learn.gamma");
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].script.find("B-2"), std::string::npos);
}

TEST(SensitivityFigure, OnlyThePapersParametersAreItsFigure5) {
  TemporaryFolder root;
  const std::string results = sweep_in(root);
  std::string index = read_file(results + "/gamma/index.csv");
  index.replace(index.find("learn.gamma"), 11, "learn.lr");
  write_file_atomic(results + "/gamma/index.csv", index);
  const auto figures = sensitivity_figures(results::read_results(results), "learn.lr");
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].as_paper, "");
}

TEST(MissingFigures, AreNamedAsThePaperCallsThemWithTheReason) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/x/a/config.yaml"), "seed: 3\n");
  ReportOptions o;
  o.paper = source_path("configs/paper_reference.yaml");
  o.out = root.path("out");
  o.gnuplot = root.path("none");
  const auto r = write_report(root.path("results"), o);
  for (const char* begins :
       {"scores during training: no run has an evaluations.jsonl",
        "training loss (as the paper's Figure 3): no run has a metrics.jsonl",
        "TD error (as the paper's Figure 3): no run has",
        "drift of max Q (as the paper's Figure 3): no run has",
        "gradient norm (as the paper's Figure 3): no run has",
        "confusion (as the paper's Figure 4): no run has an evaluation.json",
        "transitions (as the paper's Figure 4): no run has an evaluation.json",
        "sensitivity to discount (γ) (as the paper's Figure 5): there is no sweep over it",
        "sensitivity to model size (as the paper's Figure 5): there is no sweep over it",
        "Q against the return: no evaluated run", "strategies by progress: no evaluated run",
        "reliability of each choice: no evaluated run", "learning throughput: no run has a",
        "Q against Q*: no run has a simulation.json"}) {
    EXPECT_TRUE(has(r.missing_figures, begins)) << begins;
  }
  EXPECT_EQ(r.missing_figures.size(), 14u);
  for (const char* file : {"report.md", "report.html"}) {
    const std::string text = read_file(root.path("out/") + file);
    EXPECT_NE(text.find("Not in this folder yet"), std::string::npos) << file;
    EXPECT_NE(text.find("sensitivity to model size"), std::string::npos) << file;
  }
}

TEST(MissingFigures, WhatIsDrawnIsNotMissingAndCarriesThePapersNumber) {
  TemporaryFolder root;
  ReportOptions o;
  o.paper = source_path("configs/paper_reference.yaml");
  o.out = root.path("out");
  o.gnuplot = root.path("none");
  const auto r = write_report(results::golden::make(root), o);
  EXPECT_FALSE(has(r.missing_figures, "training loss"));
  EXPECT_FALSE(has(r.missing_figures, "confusion"));
  EXPECT_FALSE(has(r.missing_figures, "sensitivity to discount (γ) (as the paper's Figure 5): "));
  EXPECT_TRUE(has(r.missing_figures, "TD error"));
  EXPECT_TRUE(
      has(r.missing_figures, "sensitivity to model size (as the paper's Figure 5): there is no"));
  const std::string md = read_file(root.path("out/report.md"));
  for (const char* caption :
       {"Training loss of gamma/g80", "Training of gamma/g80", "Confusion of gamma/g80",
        "Transitions of gamma/g80", "As the paper's Figure 3.", "As the paper's Figure 4.",
        "As the paper's Figure 5.", "Acc, macro-F1 and B on test"}) {
    EXPECT_NE(md.find(caption), std::string::npos) << caption;
  }
  // The page too; drawing none of the runs' own figures is another reason than having none.
  o.most_run_figures = 0;
  const auto none = write_report(root.path("results"), o);
  EXPECT_TRUE(
      has(none.missing_figures,
          "training loss (as the paper's Figure 3): only runs whose own figures are not drawn "
          "have it"));
}

TEST(MissingFigures, ASweepThatIsPlannedButNotEvaluatedSaysSo) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  write_file_atomic(root.path("results/x/index.csv"),
                    "point,state,model.shape,seed,reason\na,done,tiny,1,\nb,missing,small,1,\n");
  const results::Results r = results::read_results(root.path("results"));
  EXPECT_TRUE(has(missing_figures(r, {}),
                  "sensitivity to model size (as the paper's Figure 5): fewer than two values of "
                  "model.shape or model.from are evaluated"));
}

}  // namespace
}  // namespace straq::report
