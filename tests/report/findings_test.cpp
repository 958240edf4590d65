// What the report says of the paper's own numbers, against sums done by hand.
#include "report/findings.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using straq::testing::source_path;

PaperReference paper() {
  return read_paper_reference(source_path("configs/paper_reference.yaml"));
}

const std::vector<Cell>& row_of(const Table& t, const std::string& check) {
  for (const auto& row : t.rows) {
    if (row[1].text.find(check) != std::string::npos) return row;
  }
  throw std::runtime_error("no check " + check);
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
  EXPECT_EQ(row_of(t, "Q of Direct is the mean F1")[3].text, "21.28");
  EXPECT_EQ(row_of(t, "Q of Direct is the mean F1")[4].text, "agrees");
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
  Results results;
  DatasetFile file;
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

}  // namespace
}  // namespace straq::report
