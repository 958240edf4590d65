// The table of contents: what a folder has nothing for is one line with what would fill it, and
// what it holds comes first.
#include "report/contents.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/json/json.h"
#include "report/latex/latex.h"
#include "report/page/html.h"
#include "report/report.h"
#include "report/tables/estimate_cells.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

using straq::testing::source_path;
using straq::testing::TemporaryFolder;

ReportOptions options_to(const std::string& out) {
  ReportOptions o;
  o.out = out;
  o.paper = source_path("configs/paper_reference.yaml");
  o.gnuplot = "no-such-gnuplot";
  return o;
}

TEST(Contents, EntriesHaveIdsOfTheirOwnAndSayWhatWouldFillThem) {
  std::set<std::string> ids;
  for (const auto& e : table_entries()) {
    EXPECT_TRUE(ids.insert(e.id).second) << e.id;
    EXPECT_TRUE(e.make != nullptr) << e.id;
    EXPECT_EQ(e.title == nullptr, e.needs.empty()) << e.id;
  }
  std::set<std::string> figures;
  for (const auto& e : figure_entries()) {
    EXPECT_TRUE(figures.insert(e.id).second) << e.id;
    EXPECT_EQ(e.title == nullptr, e.needs.empty()) << e.id;
    if (e.part_of != nullptr) {
      EXPECT_EQ(figures.count(e.part_of), 1u) << e.id;
    }
    for (const Need need : e.needs) EXPECT_GT(std::string(remedy(need)).size(), 0u);
  }
}

TEST(Contents, ATableOfNothingIsOneLineAtTheEnd) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/x/a/config.yaml"), "seed: 3\n");
  const auto r = write_report(root.path("results"), options_to(root.path("out")));
  std::set<std::string> ids;
  for (const auto& t : r.tables) {
    ids.insert(t.id);
    for (const auto& row : t.rows) {
      for (const auto& cell : row) EXPECT_NE(cell.text, "missing") << t.id;
    }
  }
  EXPECT_EQ(ids, (std::set<std::string>{"overview", "findings", "findings_noise"}));
  EXPECT_FALSE(std::filesystem::exists(root.path("out/tables/table1.csv")));
  const auto named = [&](const std::string& line) {
    return std::count(r.missing_tables.begin(), r.missing_tables.end(), line);
  };
  EXPECT_EQ(named("Table 3: ratings by people: no run has ratings by people."), 1);
  EXPECT_EQ(named("Table 6: case study: no run has replies to the test split."), 1);
  // All tables but the overview, chosen pairs, responders, Table 1 of other corpora and the findings.
  EXPECT_EQ(r.missing_tables.size(), table_entries().size() - 5);
  const std::string md = read_file(root.path("out/report.md"));
  const std::size_t section = md.find("## Not in this folder yet");
  ASSERT_NE(section, std::string::npos);
  for (const char* part :
       {"`straq evaluate RUN` would fill: Table 1: automatic metrics on ESConv",
        "`straq annotate export RESULTS` would fill: Table 3: ratings by people.",
        "dataset.json` would fill: Table 7"}) {
    EXPECT_NE(md.find(part, section), std::string::npos) << part << " in\n" << md.substr(section);
  }
  EXPECT_EQ(md.find("\n## ", section + 1), std::string::npos) << "the last section";
  EXPECT_LT(std::count(md.begin() + static_cast<std::ptrdiff_t>(section), md.end(), '\n'), 25);
}

TEST(Contents, WhatTheFolderHoldsComesBeforeThePapersTables) {
  TemporaryFolder root;
  write_report(results::golden::make(root), options_to(root.path("out")));
  const std::string md = read_file(root.path("out/report.md"));
  const std::string html = read_file(root.path("out/report.html"));
  std::size_t at = 0;
  for (const char* part :
       {"### Runs", "### Strategy choice on the split test", "Acc, macro-F1 and B on test",
        "## The paper's tables", "### Table 1: ", "## Findings", "## Not in this folder yet"}) {
    const std::size_t next = md.find(part, at);
    ASSERT_NE(next, std::string::npos) << part;
    at = next;
  }
  at = 0;
  for (const char* id :
       {"overview", "results", "training", "runs", "paper", "findings", "absent", "terms"}) {
    const std::size_t next = html.find(std::string("<section id=\"") + id + "\"", at);
    ASSERT_NE(next, std::string::npos) << id;
    at = next;
  }
}

// One row of ours with the paper's number, one that only the paper has.
Table both() {
  Table t;
  t.id = "t";
  t.title = "T";
  t.columns = {"Method", "Acc"};
  Estimate e;
  e.value = 30.125;
  e.interval = metrics::Interval{28, 32};
  t.add({"a", beside_paper(estimate_cell(e, 2), "25.110", true)});
  t.add({"b", beside_paper(missing_cell(), "1.3K", false)});
  t.add({"c", Cell("as it is")});
  return t;
}

TEST(PaperCells, ThePapersNumberIsSmallBesideOursAndAColumnForPrograms) {
  const Table t = both();
  EXPECT_EQ(flatten_cells(t).to_csv(),
            "Method,Acc,Acc low,Acc high,Acc seeds,Acc paper\n"
            "a,30.125,28.0,32.0,1,25.11\n"
            "b,,,,,1.3K\n"
            "c,as it is,,,,\n");
  const std::string md = to_markdown(t);
  EXPECT_NE(md.find("| Method | Acc [paper] |"), std::string::npos) << md;
  EXPECT_NE(md.find("| a | 30.12 ±2.00 [25.110†] |"), std::string::npos) << md;
  EXPECT_NE(md.find("| b | missing [1.3K] |"), std::string::npos) << md;
  LatexOptions with_paper;
  with_paper.paper = true;
  const std::string tex = to_latex(t, "t", with_paper);
  EXPECT_NE(tex.find("30.12 $\\pm$2.00 {\\scriptsize {[}25.110$\\dagger${]}}"), std::string::npos)
      << tex;
  EXPECT_EQ(to_latex(t, "t").find("25.110"), std::string::npos) << "on request alone";
  const std::string html = html_table(t);
  EXPECT_NE(html.find("<td class=\"number estimate\" data-v=\"30.125\">30.12&nbsp;±2.00 "
                      "<small>25.110†</small></td>"),
            std::string::npos)
      << html;
  EXPECT_NE(html.find("data-v=\"\">missing <small>1.3K</small>"), std::string::npos)
      << "gaps sort last, whatever the paper has there";
}

TEST(PaperCells, WithoutANumberOfThePapersACellStaysAsItIs) {
  EXPECT_EQ(beside_paper(Cell(3), std::nullopt, false).value, 3);
  const Cell c = beside_paper(Cell("Que."), "Que.", false);
  EXPECT_EQ(dump_json(c.value), R"({"value":"Que.","paper":"Que.","paper_text":"Que."})");
  EXPECT_FALSE(without_value(c));
  EXPECT_TRUE(without_value(beside_paper(Cell::missing(), "1", false)));
}

}  // namespace
}  // namespace straq::report
