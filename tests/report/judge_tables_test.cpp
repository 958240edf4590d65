#include <gtest/gtest.h>

#include "core/files/files.h"
#include "report/contents.h"
#include "report/tables/paper_tables.h"
#include "report/tables/tables.h"
#include "tests/testing.h"

namespace straq::report {
namespace {

using results::Judgement;

Judgement scored(int dialogue, double score, int words) {
  Judgement j;
  j.id = "t/" + std::to_string(dialogue) + ":1";
  j.dialogue = "t/" + std::to_string(dialogue);
  j.overall = j.expected = score;
  j.integer = static_cast<int>(score + 0.5);
  j.words = words;
  j.mass = 0.25;
  return j;
}

std::string cell(const Table& t, std::size_t row, const std::string& column) {
  for (std::size_t c = 0; c < t.columns.size(); ++c) {
    if (t.columns[c] == column) return t.rows.at(row).at(c).text;
  }
  return "no column " + column;
}

class JudgeTables : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& method, std::vector<Judgement> rows,
             const char* folder = "judge") {
    results::MethodInfo info;
    info.method = method;
    info.corpus = "esconv";
    info.about = {{"judge", "m"}, {"model", "tiny"}};
    results::write_judgements(folder_.path(std::string("r/x/run/") + folder + "/" + name), info,
                              rows);
    write_file_atomic(folder_.path("r/x/run/config.yaml"), "name: x\n");
  }
  results::Results read() { return results::read_results(folder_.path("r")); }
  testing::TemporaryFolder folder_;
};

TEST_F(JudgeTables, SayWhatScoresFollowBesideQuality) {
  auto a = scored(1, 4, 10), b = scored(2, 3.6, 5), c = scored(3, 2, 1);
  a.reversed = 3;
  b.reversed = 3.8;
  Judgement lost;
  lost.id = "t/4:1";
  lost.dialogue = "t/4";
  lost.parsed = false;
  write("direct.jsonl", "direct", {a, b, c, lost});
  write("cot.jsonl", "cot", {scored(1, 4, 10), scored(2, 2, 5)});
  const auto tables = judge_tables(read());
  ASSERT_EQ(tables.size(), 2u);
  const Table& t = tables[0];
  ASSERT_EQ(t.rows.size(), 2u);
  EXPECT_EQ(cell(t, 1, "Judge"), "m (tiny)");
  EXPECT_EQ(cell(t, 1, "n"), "3");
  EXPECT_EQ(cell(t, 1, "Not read"), "1");
  EXPECT_EQ(cell(t, 1, "Mean"), "3.20");
  EXPECT_EQ(cell(t, 1, "Most given"), "4 (66.7 %)");
  EXPECT_EQ(cell(t, 1, "Same as another %"), "33.3") << "two of three whole scores are alike";
  EXPECT_EQ(cell(t, 1, "ρ with length"), "1.00");
  EXPECT_EQ(cell(t, 1, "Reversed scale"), "-0.40") << "mean of -1 and 0.2";
  EXPECT_EQ(cell(t, 1, "|change|"), "0.60");
  EXPECT_EQ(cell(t, 1, "On 1–5 %"), "25.0");
  EXPECT_TRUE(tables[1].rows.empty()) << "nobody has rated anything";
  // 4 and 4 tie, 3.6 and 2 do not.
  EXPECT_NE(t.notes.at(1).find("of 2 pairs of replies to one decision 50.0 %"), std::string::npos)
      << t.notes.at(1);
}

TEST_F(JudgeTables, AJudgeIsHeldAgainstPeople) {
  std::vector<Judgement> good, constant, people;
  for (int d = 0; d < 40; ++d) {
    const double truth = 1 + d % 5;
    good.push_back(scored(d, truth, 3));
    constant.push_back(scored(d, 4, 3));
    for (const char* rater : {"ada", "ben"}) {
      Judgement j;
      j.id = good.back().id;
      j.dialogue = good.back().dialogue;
      j.rater = rater;
      j.scores["empathy"] = truth;
      people.push_back(j);
    }
  }
  write("a.jsonl", results::kCalibrationMethod, good);
  write("a.jsonl", results::kCalibrationMethod, people, "human");
  write("b.jsonl", results::kCalibrationMethod, constant);
  write("b.jsonl", results::kCalibrationMethod, people, "human");
  const auto results = read();
  const Table t = judge_tables(results).at(1);
  ASSERT_EQ(t.rows.size(), 2u);
  EXPECT_EQ(cell(t, 0, "People's scale"), "empathy");
  EXPECT_EQ(cell(t, 0, "Judge's score"), "overall");
  EXPECT_EQ(cell(t, 0, "Texts"), "40");
  EXPECT_EQ(cell(t, 0, "Raters"), "2");
  EXPECT_EQ(cell(t, 0, "ρ judge, a rater"), "1.00");
  EXPECT_EQ(cell(t, 0, "κ judge, a rater"), "1.00");
  EXPECT_EQ(cell(t, 0, "κ two raters"), "1.00");
  EXPECT_EQ(cell(t, 0, "calibrated"), "0.000");
  EXPECT_EQ(cell(t, 0, "Verdict"), "better than the constant");
  EXPECT_EQ(cell(t, 1, "ρ judge, mean of people"), "–");
  EXPECT_EQ(cell(t, 1, "κ judge, a rater"), "0.00");
  EXPECT_EQ(cell(t, 1, "Verdict"), "no better than the constant");
  // Such files are of no method: neither the tables of ratings nor those of rewards have them.
  EXPECT_TRUE(human_tables(results, built_in_paper_reference()).at(0).rows.empty());
  EXPECT_TRUE(gather_methods(results).rows.empty());
  EXPECT_FALSE(has(results, Need::ratings));
  EXPECT_FALSE(has(results, Need::rewards));
  EXPECT_TRUE(has(results, Need::judgements));
}

TEST_F(JudgeTables, TheTableOfTheCorpusTakesWholeScores) {
  auto a = scored(1, 4.4, 3), b = scored(2, 2.2, 3);
  a.strategy = b.strategy = "Que.";
  write("human.jsonl", "human", {a, b});
  const Table t = table11(read(), built_in_paper_reference());
  EXPECT_TRUE(cell(t, 0, "Max").starts_with("4")) << cell(t, 0, "Max");
  EXPECT_TRUE(cell(t, 0, "Avg").starts_with("3.00")) << cell(t, 0, "Avg");
  bool said = false;
  for (const auto& note : t.notes) {
    said = said || note.find("expected scores, which are the rewards of Table 4, is 3.30") !=
                       std::string::npos;
  }
  EXPECT_TRUE(said);
}

}  // namespace
}  // namespace straq::report
