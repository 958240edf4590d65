// What the report says of the paper's own numbers, against sums done by hand.
#include "report/tables/findings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "report/report.h"
#include "tests/results/golden.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using straq::testing::source_path;
using straq::testing::TemporaryFolder;

PaperReference paper() {
  return read_paper_reference(source_path("configs/paper_reference.yaml"));
}

const std::vector<Cell>& row_of(const Table& t, const std::string& check) {
  for (const auto& row : t.rows) {
    if (row[1].text.find(check) != std::string::npos) return row;
  }
  throw std::runtime_error("no check " + check);
}

// A copy of the paper's numbers from before metrics had today's keys.
TEST(PaperReference, CopiesOfFormat1AreReadByTheirKeys) {
  std::string text = read_file(source_path("configs/paper_reference.yaml"));
  const auto replace = [&](const std::string& now, const std::string& before) {
    std::size_t times = 0;
    for (std::size_t at = 0; (at = text.find(now, at)) != std::string::npos; ++times) {
      text.replace(at, now.size(), before);
    }
    EXPECT_GT(times, 0u) << now;
  };
  replace("format: 2", "format: 1");
  replace("[acc, macro_f1, bias,", "[acc, q, b,");
  replace("[acc, macro_f1]", "[acc, q]");
  replace("[bias]", "[b]");
  TemporaryFolder root;
  write_file_atomic(root.path("paper.yaml"), text);
  const PaperReference before = read_paper_reference(root.path("paper.yaml"));
  for (const auto& table : paper().tables) {
    EXPECT_EQ(before.table(table.id).columns, table.columns) << table.id;
  }
  EXPECT_EQ(before.table("table1").value("sft/direct", "macro_f1"), "21.29");
  EXPECT_TRUE(before.table("table9").doubtful("straq_distill/Que.", "bias"));
}

TEST(Findings, RewardsToGoAreRoundedAtEachStep) {
  // 5, then 4 + 4.25 = 8.25 -> 8.3, then 3 + 0.85 * 8.3 = 10.055 -> 10.1; unrounded it is 10.0125.
  EXPECT_EQ(rounded_returns({3, 4, 5}, 0.85), (std::vector<double>{10.1, 8.3, 5.0}));
  EXPECT_EQ(rounded_returns({3, 2, 4}, 0.85), (std::vector<double>{7.6, 5.4, 4.0}));
  EXPECT_TRUE(rounded_returns({}, 0.85).empty());
}

TEST(Findings, TheCaseFixesTheDiscount) {
  const auto range = fitting_discounts(
      {{{3, 2, 4}, {7.6, 5.4, 4.0}}, {{3, 4, 5}, {10.1, 8.3, 5.0}}, {{4, 3, 2}, {8.0, 4.7, 2.0}}});
  ASSERT_TRUE(range);
  EXPECT_DOUBLE_EQ(range->first, 0.850);
  EXPECT_DOUBLE_EQ(range->second, 0.861);
  EXPECT_FALSE(fitting_discounts({{{3, 2}, {100, 2}}}));
}

TEST(Findings, WhatCannotBeRightIsNamedWithTheArithmetic) {
  const auto tables = findings_tables({}, paper());
  ASSERT_EQ(tables.size(), 2u);
  const Table& t = tables[0];
  EXPECT_EQ(row_of(t, "rewards-to-go")[4].text,
            "reproduced; discounts from 0.850 to 0.861 give the same");
  // 2 * 8.97 / 108.97 * 100
  EXPECT_EQ(row_of(t, "F1 of Res.& Par. (straq_distill)")[3].text, "at most 16.46");
  EXPECT_EQ(row_of(t, "F1 of Res.& Par. (straq_distill)")[4].text, "cannot be right");
  EXPECT_EQ(row_of(t, "preferences of straq_distill sum")[2].text, "5.55");
  EXPECT_EQ(row_of(t, "preferences of straq_distill sum")[4].text, "cannot be right");
  // The other block keeps every identity: sum 7.99, spread 1.28, mean F1 21.28.
  EXPECT_EQ(row_of(t, "preferences of sft sum")[4].text, "holds");
  EXPECT_EQ(row_of(t, "B of Direct is the spread")[4].text, "reproduced");
  EXPECT_EQ(row_of(t, "macro-F1 (Q) of Direct is the mean F1")[3].text, "21.28");
  EXPECT_EQ(row_of(t, "macro-F1 (Q) of Direct is the mean F1")[4].text, "agrees");
  // Recalls of the block named distill give the accuracy of imit.
  EXPECT_EQ(row_of(t, "Acc of straQ*-distill is the mean recall")[4].text,
            "does not follow; it fits straQ*-imit (46.83)");
  EXPECT_EQ(row_of(t, "no value of a decision exceeds")[3].text, "at most 33.3");
}

TEST(Findings, GapsAreSetBesideWhatOneSplitResolves) {
  const Table t = findings_tables({}, paper())[1];
  const auto verdict = [&](const std::string& a, const std::string& b) {
    for (const auto& row : t.rows) {
      if (row[1].text == a && row[2].text == b) return row[4].text;
    }
    return std::string("no such row");
  };
  EXPECT_EQ(verdict("straQ*-imit", "auto-regressive"), "no");
  EXPECT_EQ(verdict("straQ*-imit (SFT)", "straQ*-distill (SFT)"), "yes");
  EXPECT_EQ(verdict("straQ*-distill (SFT)", "Direct (SFT)"), "yes");
  EXPECT_EQ(verdict("Direct (SFT)", "CoT (SFT)"), "no");
}

TEST(Findings, TheCorpusIsComparedWhereItsTablesAreThere) {
  results::Results results;
  results::DatasetFile file;
  Table eight, decisions;
  eight.id = "table8";
  eight.columns = {"emotion", "all"};
  for (const auto& [name, n] :
       {std::pair("anger", 111), std::pair("anxiety", 354), std::pair("depression", 334),
        std::pair("disgust", 40), std::pair("fear", 95), std::pair("nervousness", 13),
        std::pair("sadness", 308), std::pair("shame", 42), std::pair("guilt", 1)}) {
    eight.add({name, n});
  }
  decisions.id = "decisions";
  decisions.columns = {"strategy", "test", "all"};
  const std::pair<const char*, int> counts[] = {{"Question", 2577},
                                                {"Restatement or Paraphrasing", 982},
                                                {"Reflection of feelings", 1257},
                                                {"Self-disclosure", 1412},
                                                {"Affirmation and Reassurance", 2447},
                                                {"Providing Suggestions", 2370},
                                                {"Information", 996},
                                                {"Others", 2601}};
  for (const auto& [name, n] : counts) decisions.add({name, 0, n});
  file.tables = {eight, decisions};
  results.datasets.push_back(file);
  const Table t = findings_tables(results, paper())[0];
  EXPECT_EQ(row_of(t, "dialogues by emotion")[3].text,
            "8 of 8 counts equal, 1298 dialogues in all");
  EXPECT_EQ(row_of(t, "dialogues by emotion")[4].text, "reproduced");
  EXPECT_EQ(row_of(t, "decisions of the corpus")[3].text, "14642, no strategy more than 4 apart");
  EXPECT_EQ(row_of(t, "decisions of the corpus")[4].text,
            "reproduced but for 18 decisions, as unreadable judge answers would be");
  // A corpus with other strategies is not compared at all.
  results.datasets[0].tables[1].rows.pop_back();
  EXPECT_THROW(row_of(findings_tables(results, paper())[0], "decisions of the corpus"),
               std::runtime_error);
}

TEST(Findings, WithoutThePapersNumbersThereIsNothingToFind) {
  EXPECT_TRUE(findings_tables({}, {}).empty());
}

// A reference that was built in is the file's, so a report has it wherever it is written.
TEST(PaperReference, IsBuiltInForReportsWrittenElsewhere) {
  const PaperReference built = built_in_paper_reference(), file = paper();
  EXPECT_EQ(built.paper, file.paper);
  ASSERT_EQ(built.tables.size(), file.tables.size());
  for (std::size_t t = 0; t < file.tables.size(); ++t) {
    EXPECT_EQ(built.tables[t].columns, file.tables[t].columns);
    EXPECT_EQ(built.tables[t].reasons(), file.tables[t].reasons());
    ASSERT_EQ(built.tables[t].rows.size(), file.tables[t].rows.size());
    for (std::size_t r = 0; r < file.tables[t].rows.size(); ++r) {
      EXPECT_EQ(built.tables[t].rows[r].values, file.tables[t].rows[r].values);
    }
  }
}

// Comes back to where the tests run, whatever happens.
class Elsewhere {
 public:
  explicit Elsewhere(const std::string& folder) : back_(std::filesystem::current_path()) {
    std::filesystem::current_path(folder);
  }
  ~Elsewhere() {
    std::error_code ec;
    std::filesystem::current_path(back_, ec);
  }

 private:
  std::filesystem::path back_;
};

TEST(PaperReference, AReportFromAnotherFolderHasThePapersNumbers) {
  TemporaryFolder root;
  results::golden::finished_run(root.path("results/x/a"), 2);
  write_file_atomic(root.path("results/x/a/config.yaml"), "seed: 1\ndata: {name: esconv}\n");
  ReportOptions o;
  o.gnuplot = root.path("none");
  const auto table1 = [&] {
    const auto r = write_report("results", o);
    for (const auto& w : r.warnings) {
      EXPECT_EQ(w.find("paper's numbers are missing"), std::string::npos) << w;
    }
    return read_file(root.path("results/report/tables/table1.md"));
  };
  const Elsewhere at(root.path());
  EXPECT_NE(table1().find("46.83"), std::string::npos);
  // A file that is there wins: it may have been corrected since.
  std::string text = read_file(source_path("configs/paper_reference.yaml"));
  for (std::size_t p = 0; (p = text.find("46.83", p)) != std::string::npos; p += 5) {
    text.replace(p, 5, "46.99");
  }
  write_file_atomic(root.path("configs/paper_reference.yaml"), text);
  const std::string corrected = table1();
  EXPECT_EQ(corrected.find("46.83"), std::string::npos);
  EXPECT_NE(corrected.find("46.99"), std::string::npos);
}

// Runs under both splits; `right` of four decisions a strategy are right.
void leak_run(const TemporaryFolder& root, const std::string& split, int seed, int right) {
  const std::string point = split + "-" + std::to_string(seed);
  const std::string to = root.path("results/leak/" + point);
  results::golden::finished_run(to, right);
  write_file_atomic(to + "/config.yaml", "seed: " + std::to_string(seed) + "\ndata: {split: " +
                                             split + "}\nlearn: {steps: 100}\n");
}

void leak_index(const TemporaryFolder& root) {
  std::string index = "point,state,data.split,seed,kind,reason\n";
  for (const char* split : {"official", "sample_level"}) {
    for (int seed = 1; seed <= 3; ++seed) {
      const std::string s = std::to_string(seed);
      index += std::string(split) + "-" + s + ",done," + split + "," + s + ",,\n";
    }
  }
  write_file_atomic(root.path("results/leak/index.csv"), index);
}

TEST(Findings, TheSplitsLeakIsMeasuredSeedBySeed) {
  TemporaryFolder root;
  // Acc 25, 50, 50 under whole dialogues; 50, 50, 75 under single decisions.
  const int whole[] = {1, 2, 2}, single[] = {2, 2, 3};
  for (int seed = 1; seed <= 3; ++seed) {
    leak_run(root, "official", seed, whole[seed - 1]);
    leak_run(root, "sample_level", seed, single[seed - 1]);
  }
  leak_index(root);
  const auto tables = findings_tables(results::read_results(root.path("results")), {});
  ASSERT_EQ(tables.size(), 1u) << "without the paper's numbers too";
  const Table& t = tables[0];
  EXPECT_EQ(t.id, "findings_leak");
  ASSERT_EQ(t.rows.size(), 3u);
  EXPECT_EQ(t.rows[0][3].text, "official");
  EXPECT_EQ(t.rows[0][4].text, "3");
  EXPECT_EQ(t.rows[0][5].text, "16");
  // Mean 125 / 3, squares 2 * 8.33^2 + 16.67^2 over 2.
  EXPECT_EQ(t.rows[0][6].text, "41.67 (sd 14.43)");
  EXPECT_EQ(t.rows[1][6].text, "58.33 (sd 14.43)");
  EXPECT_EQ(t.rows[2][3].text, "difference, paired by seed");
  // +25, 0, +25: mean 16.67, sd 14.43, t of two degrees 4.3027 * 14.43 / sqrt(3) = 35.86.
  EXPECT_EQ(t.rows[2][6].text, "+16.67 ±35.86 (sd 14.43)");
  EXPECT_NEAR(t.rows[2][6].value["low"].get<double>(), 16.6667 - 35.8554, 1e-3);
  const double markov =
      100 * results::golden::evaluation(1).baselines[0].second.back().strategy.acc;
  EXPECT_EQ(t.rows[0][9].text, Cell::real(markov, 2).text + " (sd 0.00)");
  ASSERT_GE(t.notes.size(), 2u);
  EXPECT_NE(t.notes[0].find("no leak can be told from the spread over seeds"), std::string::npos);

  // On the page and among the files.
  ReportOptions o;
  o.gnuplot = root.path("none");
  o.out = root.path("out");
  const std::string html = read_file(write_report(root.path("results"), o).html);
  EXPECT_NE(html.find("Split leak", html.find("id=\"findings\"")), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(root.path("out/tables/findings_leak.csv")));
}

TEST(Findings, ALeakIsMeasuredOnlyWhereNothingElseDiffers) {
  TemporaryFolder root;
  leak_run(root, "official", 1, 1);
  leak_run(root, "official", 2, 1);
  EXPECT_FALSE(leak_table(results::read_results(root.path("results")))) << "one split alone";
  leak_run(root, "sample_level", 3, 4);
  const auto apart = leak_table(results::read_results(root.path("results")));
  ASSERT_TRUE(apart);
  EXPECT_EQ(apart->rows[2][6].text, "no seed in common");
  leak_run(root, "sample_level", 1, 4);
  const auto one = leak_table(results::read_results(root.path("results")));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->rows[2][6].text, "+75.00") << "no interval from one seed";
  EXPECT_NE(one->notes[0].find("fewer than two seeds"), std::string::npos);
  // Another number of steps is another experiment.
  for (const char* seed : {"1", "3"}) {
    write_file_atomic(
        root.path("results/leak/sample_level-") + seed + "/config.yaml",
        std::string("seed: ") + seed + "\ndata: {split: sample_level}\nlearn: {steps: 640}\n");
  }
  EXPECT_FALSE(leak_table(results::read_results(root.path("results"))));
}

}  // namespace
}  // namespace straq::report
