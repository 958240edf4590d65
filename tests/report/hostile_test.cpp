// Results folders that somebody else has had a hand in: nothing in them ends the report, reaches
// outside of it, or becomes markup.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/json/json.h"
#include "core/tables/csv.h"
#include "report/figures/figures.h"
#include "report/latex/latex.h"
#include "report/report.h"
#include "report/report_files.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "tests/results/golden.h"

namespace straq::report {
namespace {

namespace fs = std::filesystem;
using straq::testing::TemporaryFolder;

ReportOptions options_to(const std::string& out) {
  ReportOptions o;
  o.out = out;
  o.paper = straq::testing::source_path("configs/paper_reference.yaml");
  o.gnuplot = "no-such-gnuplot";
  return o;
}

std::string problems_of(const results::Results& results) {
  std::string out;
  for (const auto& p : results.problems) out += p + "\n";
  for (const results::Run* run : results.runs()) {
    for (const auto& p : run->problems) out += p + "\n";
  }
  return out;
}

std::string row(const std::string& id, const std::string& hypothesis) {
  nlohmann::json j = {{"id", id},          {"dialogue", "test/0"}, {"hypothesis", hypothesis},
                      {"reference", "ok"}, {"query", hypothesis},  {"strategy", "Question"},
                      {"chosen", "Others"}};
  return dump_json(j) + "\n";
}

TEST(HostileResults, EveryFileIsNamedAndTheReportGoesOn) {
  TemporaryFolder root;
  const std::string deep(200000, '['), closed = deep + std::string(200000, ']');
  const std::pair<const char*, std::string> files[] = {
      {"provenance.json", "{\"x\": " + closed + "}"},
      {"evaluation.json", deep},
      {"metrics.jsonl", "{\"step\": 1e300}\n{\"step\": 2.5}\n{\"step\": 1e400}\n" + deep + "\n"},
      {"timings.jsonl", "{\"step\": 1e300, \"seconds\": 1}\n[1]\n" + deep},
      {"dataset.json", "{\"a\": " + closed + "}"},
      {"responses/deep.jsonl", row("t:1", "hi")},
      {"responses/deep.json", "{\"about\": " + closed + "}"},
      {"responses/many.jsonl", row("t:1", "hi")},
      {"responses/nul.jsonl", row("t:1", "hi") + std::string("\0x\n", 3)},
      {"responses/bytes.jsonl", "{\"id\": \"caf\xE9\"}\n"},
      {"responses/list.jsonl", "[" + row("t:1", "hi") + "]"},
      {"responses/printed.jsonl", "{\n\"id\": \"t:1\"\n}\n"},
      {"responses/score.jsonl", row("t:1", "hi")},
      {"responses/score.score.json", "{\"overall\": {\"n\": 4.5}, \"tokenizer\": 1}"},
      {"judge/j.jsonl", "{\"id\": \"t:1\", \"dialogue\": \"t\", \"overall\": true}\n"},
      {"human/h.jsonl", deep},
  };
  for (const auto& [name, bytes] : files) {
    write_file_atomic(root.path(std::string("results/x/bad/") + name), bytes);
  }
  auto many = nlohmann::json::array();
  for (int i = 0; i < 70000; ++i) {
    many.push_back({{"name", "s" + std::to_string(i)}});
  }
  write_file_atomic(root.path("results/x/bad/responses/many.json"),
                    nlohmann::json{{"strategies", many}}.dump());
  fs::create_directories(root.path("results/x/bad/config.yaml"));
  results::golden::finished_run(root.path("results/x/good"), 2);
  write_file_atomic(root.path("results/x/good/provenance.json"),
                    "\xEF\xBB\xBF{\"note\": \"\xE9\"}");

  const std::string said = problems_of(results::read_results(root.path("results")));
  for (const auto& [name, bytes] : files) {
    // Those that only lend their file's name, and timings, of which only a figure misses a line.
    const std::string n = name;
    if (n == "responses/deep.jsonl" || n == "responses/many.jsonl" ||
        n == "responses/score.jsonl" || n == "timings.jsonl") {
      continue;
    }
    EXPECT_NE(said.find("bad/" + n), std::string::npos) << n << " in\n" << said;
  }
  EXPECT_NE(said.find("bad/responses/many.json"), std::string::npos) << said;
  EXPECT_NE(said.find("bad/config.yaml"), std::string::npos) << said;
  const auto r = write_report(root.path("results"), options_to(root.path("out")));
  EXPECT_EQ(r.runs, 2);
  EXPECT_NE(read_file(r.html).find("x/good"), std::string::npos);
}

TEST(HostileResults, RepliesBecomeNoFormulasLinksOrPictures) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  const char* replies[] = {"=HYPERLINK(\"http://h.example\")",
                           "\t=1+1",
                           " @x",
                           "\uff1d1+1",
                           "[x](javascript:alert(1))",
                           "![i](http://h.example/p.png)",
                           "<img src=http://h.example>",
                           "a `b` | c\n# d"};
  std::string rows;
  for (std::size_t i = 0; i < std::size(replies); ++i) {
    rows += row("test/0:" + std::to_string(2 * i + 1), replies[i]);
  }
  write_file_atomic(root.path("results/x/a/responses/fsm.jsonl"), rows);
  const auto r = write_report(root.path("results"), options_to(root.path("out")));
  const CsvFile csv = read_csv(read_file(root.path("out/tables/table6.csv")));
  ASSERT_EQ(csv.reason, "");
  std::size_t seen = 0;
  for (const auto& line : csv.rows) {
    for (const auto& field : line.fields) {
      EXPECT_FALSE(looks_like_formula(field) && field[0] != '\'' && !is_plain_number(field))
          << field;
      seen += field.find("1+1") != std::string::npos;
    }
  }
  EXPECT_GE(seen, 2u);
  for (const char* file : {"out/report.md", "out/tables/table6.md"}) {
    const std::string md = read_file(root.path(file));
    EXPECT_EQ(md.find("[x]("), std::string::npos);
    EXPECT_EQ(md.find("![i]"), std::string::npos);
    EXPECT_EQ(md.find("http://h."), std::string::npos);
    EXPECT_EQ(md.find("<img"), std::string::npos);
  }
}

TEST(HostileResults, LatexTakesNothingOfAStrangersBytes) {
  EXPECT_EQ(escape_latex("\xC3\\input{x}"), "?\\textbackslash{}input\\{x\\}");
  EXPECT_EQ(escape_latex("\xE2\x82"), "?");
  EXPECT_EQ(escape_latex("*[x]"), "{*}{[}x{]}") << "behind a row's end both would be options";
  EXPECT_EQ(escape_latex("straQ* é"), "straQ* é");
}

TEST(ReportFiles, OnlyFilesThatAReportWritesAreRemoved) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  const std::string out = root.path("out");
  const std::vector<std::string> precious = {"notes.md",          "thesis.tex",  "tables/data.xlsx",
                                             "figures/photo.jpg", "keep/me.csv", "report.json.bak"};
  for (const auto& name : precious) write_file_atomic(out + "/" + name, "mine");
  write_file_atomic(root.path("elsewhere.csv"), "mine");
  fs::create_directories(out + "/tables");
  fs::create_symlink(root.path("elsewhere.csv"), out + "/tables/linked.csv");
  write_file_atomic(out + "/tables/old.csv", "an earlier report's");
  auto names = nlohmann::json(precious);
  for (const std::string name : {"tables/linked.csv", "tables/old.csv", "../elsewhere.csv",
                                 "tables/../notes.md", "tables/../../elsewhere.csv"}) {
    names.push_back(name);
  }
  names.push_back(root.path("elsewhere.csv"));
  const auto report = [&](nlohmann::json manifest) {
    write_file_atomic(out + "/report.json", manifest.dump());
    write_report(root.path("results"), options_to(out));
  };
  report({{"format", 1}, {"files", names}});
  EXPECT_TRUE(fs::exists(out + "/tables/old.csv")) << "nothing says that it is this program's";
  report({{"format", 1}, {"program", "another"}, {"files", names}});
  EXPECT_TRUE(fs::exists(out + "/tables/old.csv"));
  report({{"format", 1}, {"program", "straq report"}, {"files", names}});
  EXPECT_FALSE(fs::exists(out + "/tables/old.csv"));
  for (const auto& name : precious) EXPECT_EQ(read_file(out + "/" + name), "mine") << name;
  EXPECT_TRUE(fs::is_symlink(out + "/tables/linked.csv"));
  EXPECT_EQ(read_file(root.path("elsewhere.csv")), "mine");
}

TEST(ReportFiles, AFolderBehindALinkIsNotReachedInto) {
  TemporaryFolder root;
  write_file_atomic(root.path("other/a.csv"), "mine");
  fs::create_directories(root.path("out"));
  fs::create_directory_symlink(root.path("other"), root.path("out/tables"));
  remove_own(root.path("out"), "tables/a.csv");
  EXPECT_TRUE(fs::exists(root.path("other/a.csv")));
}

TEST(ReportFiles, ARunWithAStrangersReportJsonIsStillARun) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  write_file_atomic(root.path("results/x/a/report.json"), "{\"mine\": true}");
  EXPECT_EQ(results::read_results(root.path("results")).runs().size(), 1u);
}

// All decisions of one dialogue.
void one_dialogue_run(const std::string& folder, int right) {
  auto rows = results::golden::rows(right);
  int i = 0;
  for (auto& p : rows) {
    p.dialogue = "d/0";
    p.index = i;
    p.turn = 2 * i++ + 1;
    p.of = static_cast<int>(rows.size());
  }
  metrics::EvaluationOptions o;
  o.strategy.strategies = 4;
  o.bootstrap.replicates = 50;
  auto e = results::golden::evaluation(right);
  e.splits[0].second = metrics::evaluate_predictions(rows, o);
  e.baselines[0].second = metrics::baseline_reports(rows, rows, o);
  write_file_atomic(folder + "/config.yaml", "seed: 1\n");
  results::write_predictions(folder + "/predictions/test.jsonl", rows);
  results::write_evaluation(folder + "/evaluation.json", e);
  write_file_atomic(folder + "/DONE", "");
}

TEST(OneDialogue, TablesShowNoIntervalAndTestNothing) {
  TemporaryFolder root;
  write_file_atomic(root.path("results/x/index.csv"),
                    "point,state,q.readout,learn.reward.kind,seed,reason\n"
                    "a,done,mean_logit,imitation,1,\nb,done,value_head,imitation,1,\n");
  one_dialogue_run(root.path("results/x/a"), 3);
  one_dialogue_run(root.path("results/x/b"), 1);
  const auto r = write_report(root.path("results"), options_to(root.path("out")));
  bool found = false;
  for (const auto& t : r.tables) {
    EXPECT_NE(t.id, "table1_tests") << "no test takes one dialogue";
    for (const auto& line : t.rows) {
      for (const auto& cell : line) {
        if (cell.value.is_array()) {
          EXPECT_NE(cell.value[0], cell.value[1]) << t.id << ": " << cell.text;
        }
        if (cell.value.is_object()) {
          EXPECT_FALSE(cell.value.contains("low")) << t.id;
          EXPECT_FALSE(cell.value.contains("mark")) << t.id;
        }
      }
    }
    if (t.id != "results_test") continue;
    found = true;
    EXPECT_EQ(t.rows[0][2].text, "75.00");
    EXPECT_TRUE(t.rows[0][3].value.is_null());
    EXPECT_NE(nlohmann::json(t.notes).dump().find("one dialogue"), std::string::npos);
  }
  EXPECT_TRUE(found);
  EXPECT_NE(read_file(root.path("out/report.md")).find("one dialogue alone"), std::string::npos);
}

TEST(OneDialogue, AGroupOfTheCalibrationFigureHasNoBarOfWidthNothing) {
  TemporaryFolder root;
  one_dialogue_run(root.path("results/x/a"), 3);
  const results::Results results = results::read_results(root.path("results"));
  auto rows = results::golden::rows(3);
  for (auto& p : rows) p.dialogue = "d/0";
  const auto figures = decision_figures(*results.runs()[0], "test", rows);
  const auto it = std::find_if(figures.begin(), figures.end(),
                               [](const Figure& f) { return f.id.rfind("calibration", 0) == 0; });
  ASSERT_NE(it, figures.end());
  EXPECT_NE(it->data.find(" NaN "), std::string::npos) << it->data;
  EXPECT_NE(it->script.find("using 1:2 with points"), std::string::npos) << "the point is drawn";
}

}  // namespace
}  // namespace straq::report
