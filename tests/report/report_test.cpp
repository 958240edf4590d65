#include "report/report.h"

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>

#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/page/html.h"
#include "report/tables/tables.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

ReportOptions options() {
  ReportOptions o;
  o.paper = straq::testing::source_path("configs/paper_reference.yaml");
  return o;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// Tags must nest: a structural check without a browser. (std::regex overflows its stack on the
// long attributes that figures are.)
void expect_balanced(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = html.find('<', at)) != std::string::npos;) {
    const bool closing = html[at + 1] == '/';
    std::size_t end = at + 1 + closing;
    while (end < html.size() && std::isalnum(static_cast<unsigned char>(html[end]))) ++end;
    const std::string name = html.substr(at + 1 + closing, end - at - 1 - closing);
    at = html.find('>', end);
    ASSERT_NE(at, std::string::npos) << name;
    if (name.empty() || name == "meta" || name == "img") continue;
    if (closing) {
      ASSERT_FALSE(open.empty()) << name;
      ASSERT_EQ(open.back(), name) << "at " << at;
      open.pop_back();
    } else {
      open.push_back(name);
      // What is between these is no markup.
      if (name == "script" || name == "style") at = html.find("</" + name, at);
    }
  }
  EXPECT_TRUE(open.empty());
}

void expect_self_contained(const std::string& html) {
  // Every address is a place in this file or data of this file.
  for (const std::string attribute : {" src=\"", " href=\""}) {
    for (std::size_t at = 0; (at = html.find(attribute, at)) != std::string::npos;) {
      at += attribute.size();
      const std::string to = html.substr(at, 20);
      EXPECT_TRUE(to.rfind("#", 0) == 0 || to.rfind("data:image/", 0) == 0) << to;
    }
  }
  EXPECT_EQ(count(html, "http://"), 0u);
  EXPECT_EQ(count(html, "https://"), 0u);
  EXPECT_EQ(count(html, "<link"), 0u);
  EXPECT_EQ(count(html, "@import"), 0u);
  EXPECT_EQ(count(html, "url("), 0u);
}

TEST(Report, GoldenFolderBecomesTablesFiguresAndOnePage) {
  if (!gnuplot_version("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  TemporaryFolder root;
  const std::string results = results::golden::make(root);
  ReportOptions o = options();
  o.out = root.path("out");
  const ReportResult r = write_report(results, o);
  EXPECT_TRUE(r.warnings.empty()) << r.warnings.front();
  EXPECT_EQ(r.runs, 7);
  // Three evaluated runs with loss, training, confusion, transitions, calibration, stages and
  // reliability, two more with a loss, one of them with a gradient norm, and one over gamma.
  constexpr std::size_t kFigures = 3 * 7 + 3 + 1;
  EXPECT_EQ(r.figures, static_cast<int>(kFigures));
  const std::string html = read_file(r.html);
  expect_balanced(html);
  expect_self_contained(html);
  EXPECT_EQ(count(html, "<img"), kFigures);
  EXPECT_EQ(count(html, "src=\"data:image/svg+xml;base64,"), kFigures);
  EXPECT_EQ(count(html, "<script>"), 1u) << "names and reasons with markup stay text";
  EXPECT_EQ(count(html, "<b>"), 0u);
  EXPECT_NE(html.find("diverged at step 7 &lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("results/gamma/bad/evaluation.json:"), std::string::npos);
  EXPECT_NE(html.find("not started"), std::string::npos);
  EXPECT_EQ(count(html, root.path()), 0u) << "no path of this machine";

  for (const char* id : {"loss-gamma-g80", "confusion-gamma-g80-test", "transition-gamma-g80-test",
                         "sensitivity-gamma-gamma-test"}) {
    for (const char* ending : {".svg", ".png", ".pdf", ".dat", ".gp"}) {
      const std::string name = root.path("out/figures/") + id + ending;
      EXPECT_TRUE(fs::exists(name) && fs::file_size(name) > 40) << name;
    }
  }
  const std::string svg = read_file(root.path("out/figures/confusion-gamma-g80-test.svg"));
  EXPECT_EQ(count(svg, "<script"), 0u);
  EXPECT_NE(svg.find("Inf.&lt;b>"), std::string::npos) << "labels are text in the picture too";
  EXPECT_EQ(read_file(root.path("out/figures/sensitivity-gamma-gamma-test.dat")),
            "# \n# gamma seeds acc acc_sd macro_f1 macro_f1_sd bias bias_sd (acc and macro_f1 in "
            "percent)\n"
            "0.8 1 50 0 50 0 0 0\n0.9 2 50 35.35533906 50 35.35533906 0 0\n\n\n");
  EXPECT_NE(read_file(root.path("out/tables/results_test.csv")).find("g80,1,50.0,40.0,60.0"),
            std::string::npos);
  const std::string md = read_file(root.path("out/report.md"));
  EXPECT_NE(md.find("| g99 | 1 | failed |"), std::string::npos);
  EXPECT_EQ(count(md, "<script>"), 0u);
  EXPECT_NE(md.find("](figures/loss-gamma-g80.svg)"), std::string::npos);
}

TEST(Report, TheSameFolderGivesTheSamePage) {
  TemporaryFolder root;
  const std::string results = results::golden::make(root);
  ReportOptions o = options();
  o.out = root.path("a");
  const std::string first = read_file(write_report(results, o).html);
  o.out = root.path("b");
  EXPECT_EQ(read_file(write_report(results, o).html), first);
}

TEST(Report, WithoutGnuplotTablesAreCompleteAndThePageSaysWhatIsMissing) {
  TemporaryFolder root;
  ReportOptions o = options();
  o.out = root.path("out");
  o.gnuplot = root.path("no-such-gnuplot");
  const ReportResult r = write_report(results::golden::make(root), o);
  ASSERT_EQ(r.warnings.size(), 1u);
  EXPECT_NE(r.warnings[0].find("gnuplot-nox"), std::string::npos);
  EXPECT_EQ(r.figures, 0);
  const std::string html = read_file(r.html);
  expect_balanced(html);
  EXPECT_EQ(count(html, "<img"), 0u);
  EXPECT_EQ(count(html, "This figure could not be drawn"), 25u);
  EXPECT_TRUE(fs::exists(root.path("out/figures/loss-gamma-g80.gp"))) << "to be drawn elsewhere";
  EXPECT_TRUE(fs::exists(root.path("out/tables/results_test.md")));
}

TEST(Report, AFailingGnuplotIsQuotedAndLeavesNoHalfPicture) {
  TemporaryFolder root;
  write_file_atomic(root.path("bad-gnuplot"),
                    "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n"
                    "echo half > \"${1%.gp}.svg\"\necho 'no such terminal' >&2\nexit 1\n");
  fs::permissions(root.path("bad-gnuplot"), fs::perms::owner_all);
  results::golden::finished_run(root.path("results/x/a"), 2);
  ReportOptions o = options();
  o.out = root.path("out");
  o.gnuplot = root.path("bad-gnuplot");
  const ReportResult r = write_report(root.path("results"), o);
  ASSERT_EQ(r.warnings.size(), 7u) << "each figure's own";
  EXPECT_NE(r.warnings[0].find("no such terminal"), std::string::npos) << r.warnings[0];
  EXPECT_FALSE(fs::exists(root.path("out/figures/loss-x-a.svg")));
}

TEST(Report, ASecondReportRemovesOnlyItsOwnOldFiles) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  results::golden::finished_run(root.path("results/x/b"), 2);
  ReportOptions o = options();
  o.gnuplot = root.path("none");
  write_report(root.path("results"), o);
  const std::string out = root.path("results/report");
  EXPECT_TRUE(fs::exists(out + "/figures/loss-x-b.dat"));
  write_file_atomic(out + "/figures/mine.txt", "keep");
  fs::remove_all(root.path("results/x/b"));
  // A manifest that was tampered with must not reach outside the report.
  write_file_atomic(root.path("results/x/precious"), "keep");
  auto j = nlohmann::json::parse(read_file(out + "/report.json"));
  j["files"].push_back("../x/precious");
  j["files"].push_back("figures/../../x/precious");
  write_file_atomic(out + "/report.json", j.dump());
  const auto r = write_report(root.path("results"), o);
  EXPECT_EQ(r.runs, 1) << "the report inside the results folder is no run";
  EXPECT_FALSE(fs::exists(out + "/figures/loss-x-b.dat"));
  EXPECT_TRUE(fs::exists(out + "/figures/loss-x-a.dat"));
  EXPECT_TRUE(fs::exists(out + "/figures/mine.txt"));
  EXPECT_TRUE(fs::exists(root.path("results/x/precious")));
}

TEST(Report, AnUnevaluatedRunIsStillReported) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/x/a/config.yaml"), "seed: 3\n");
  ReportOptions o = options();
  o.out = root.path("out");
  const auto r = write_report(root.path("results"), o);
  EXPECT_TRUE(r.results.empty());
  EXPECT_NE(read_file(r.html).find("No run has been evaluated yet"), std::string::npos);
  EXPECT_EQ(r.tables[0].rows[0][2].text, "unfinished");
}

TEST(Report, MoreRunsThanFiguresAreNamed) {
  TemporaryFolder root;
  ReportOptions o = options();
  o.out = root.path("out");
  o.gnuplot = root.path("none");
  o.most_run_figures = 1;
  const auto r = write_report(results::golden::make(root), o);
  ASSERT_EQ(r.remarks.size(), 1u);
  EXPECT_EQ(r.remarks[0].rfind("The own figures of 4 runs, from gamma/g90-1 on", 0), 0u);
}

TEST(Report, AnUnwritableFolderIsAnError) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  write_file_atomic(root.path("file"), "");
  ReportOptions o = options();
  o.out = root.path("file/out");
  const auto e = error_of([&] { write_report(root.path("results"), o); });
  EXPECT_EQ(e->kind(), ErrorKind::failure);
}

TEST(Html, EscapesAndEncodes) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Html, TablesSortByValueNotByText) {
  Table t;
  t.title = "T<>";
  t.columns = {"Name", "X"};
  t.add({"[Base]", Cell::real(1.23456, 2)});
  t.add({"a", Cell::missing()});
  const std::string html = html_table(t);
  expect_balanced(html);
  EXPECT_NE(html.find("<td class=\"number\" data-v=\"1.23456\">1.23</td>"), std::string::npos);
  EXPECT_NE(html.find("data-v=\"\">–</td>"), std::string::npos) << "gaps sort last";
  EXPECT_NE(html.find("<tr class=\"baseline\">"), std::string::npos);
  EXPECT_NE(html.find("<caption>T&lt;&gt;</caption>"), std::string::npos);
}

TEST(Figures, IdsAreSafeFileNamesAndUnique) {
  EXPECT_EQ(slug("a/b c=0.9"), "a-b-c-0.9");
  EXPECT_EQ(slug("../../etc"), "x..-..-etc");
  EXPECT_EQ(slug("\xc3\xa9"), "-");
  std::vector<Figure> figures(2);
  for (auto& f : figures) {
    f.id = "loss-a";
    f.script = "data = 'loss-a.dat'\nset output 'loss-a.'.picture\n";
  }
  make_ids_unique(figures);
  EXPECT_EQ(figures[1].id, "loss-a-2");
  EXPECT_EQ(figures[1].script, "data = 'loss-a-2.dat'\nset output 'loss-a-2.'.picture\n");
}

TEST(Figures, GnuplotTextCannotLeaveItsQuotes) {
  EXPECT_EQ(gnuplot_quote("it's `x`\n\"y\""), "'it''s `x` \"y\"'");
  if (!gnuplot_version("gnuplot")) GTEST_SKIP() << "gnuplot is not installed";
  TemporaryFolder root;
  // A point whose name tries to run a command from a title.
  results::golden::finished_run(root.path("results/x/a'; system(\"touch hit\") # `touch hit`"), 2);
  ReportOptions o = options();
  o.out = root.path("out");
  const auto r = write_report(root.path("results"), o);
  EXPECT_TRUE(r.warnings.empty()) << r.warnings.front();
  EXPECT_EQ(r.figures, 7);
  EXPECT_FALSE(fs::exists(root.path("out/figures/hit")));
}

}  // namespace
}  // namespace straq::report
