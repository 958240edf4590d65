#include "dialogue/statistics.h"

#include "dialogue/turns.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

std::string cell(const Table& t, const std::string& row, const std::string& column) {
  const auto at = std::find(t.columns.begin(), t.columns.end(), column) - t.columns.begin();
  for (const auto& r : t.rows) {
    if (r[0].text == row) return r.at(static_cast<std::size_t>(at)).text;
  }
  return "no such row";
}

SplitStatistics count(const Corpus& c, const std::string& corpus, const std::string& split) {
  SplitStatistics out{corpus, split};
  for (const Dialogue& d : c.dialogues) out.add(d, build_episode(d, MergeLabel::first));
  return out;
}

TEST(Statistics, CountsAMadeDialogue) {
  const SplitStatistics counted = count(parse(kLine), "made", "all");
  const SizeStatistics& s = counted.sizes;
  EXPECT_EQ(s.dialogues, 1);
  EXPECT_EQ(s.seeker_utterances, 4);
  EXPECT_EQ(s.supporter_utterances, 3);
  EXPECT_EQ(s.opening_utterances, 1);
  // 2 + 6, 5, 4 and 4 words with their punctuation; 4, 4 and 6.
  EXPECT_EQ(s.seeker_words, 8 + 5 + 4 + 4);
  EXPECT_EQ(s.supporter_words, 4 + 4 + 6);
  EXPECT_EQ(s.strategies.size(), 4u);
  const DecisionStatistics& d = counted.decisions;
  EXPECT_EQ(d.decisions, 2);
  EXPECT_EQ(d.merged, 1);
  EXPECT_EQ(d.mixed, 1);
  EXPECT_EQ(d.openers, 1);
  EXPECT_EQ(d.supporter_ends, 0);
}

TEST(Statistics, ACorpusWithoutStrategiesHasNoDecisionTable) {
  const Corpus c = parse(R"({"dialog": [{"speaker": "usr", "text": "a"}]})");
  const auto tables =
      corpus_tables({count(c, "made", "all")}, esconv_strategies(), MergeLabel::first);
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(tables[0].id, "table10");
  EXPECT_EQ(cell(tables[0], "supporter: strategies", "made"), "–");
  EXPECT_EQ(cell(tables[0], "supporter: words per utterance", "made"), "–");
}

TEST(RealData, TheTablesOfThePaper) {
  const StrategySet strategies = esconv_strategies();
  std::vector<Corpus> corpora;
  for (const char* name : {"esconv/train.txt", "esconv/valid.txt", "esconv/test.txt",
                           "empathetic_dialogues/test.csv", "empathetic_dialogues/valid.csv"}) {
    STRAQ_REQUIRE_DATA(path, name);
    corpora.push_back(read_corpus(path, Format::automatic, strategies));
  }
  std::vector<SplitStatistics> esconv;
  for (std::size_t i = 0; i < 3; ++i) {
    esconv.push_back(count(corpora[i], "esconv", corpora[i].name));
  }
  const Table emotions = emotion_table(esconv);
  const std::vector<std::pair<std::string, std::string>> expected_emotions = {
      {"anxiety", "354"}, {"depression", "334"}, {"sadness", "308"}, {"anger", "111"},
      {"fear", "95"},     {"shame", "42"},       {"disgust", "40"},  {"nervousness", "13"},
      {"guilt", "1"},     {"jealousy", "1"},     {"pain", "1"},      {"total", "1300"}};
  EXPECT_EQ(emotions.rows.size(), expected_emotions.size());
  for (const auto& [name, count] : expected_emotions) EXPECT_EQ(cell(emotions, name, "all"), count);

  const Table problems = problem_table(esconv);
  const std::vector<std::pair<std::string, std::string>> expected_problems = {
      {"ongoing depression", "351"},   {"job crisis", "280"},
      {"breakup with partner", "239"}, {"problems with friends", "179"},
      {"academic pressure", "156"},    {"Sleep Problems", "28"},
      {"Procrastination", "13"},       {"Appearance Anxiety", "12"},
      {"Alcohol Abuse", "12"},         {"conflict with parents", "10"},
      {"Issues with Children", "10"},  {"Issues with Parents", "8"},
      {"School Bullying", "2"},        {"total", "1300"}};
  EXPECT_EQ(problems.rows.size(), expected_problems.size());
  for (const auto& [name, count] : expected_problems) EXPECT_EQ(cell(problems, name, "all"), count);

  auto both = esconv;
  both.push_back(count(corpora[3], "empathetic", "test"));
  const Table sizes = size_table(both);
  EXPECT_EQ(cell(sizes, "sessions", "esconv"), "1300");
  EXPECT_EQ(cell(sizes, "utterances", "esconv"), "37682");
  EXPECT_EQ(cell(sizes, "utterances per session", "esconv"), "28.99");
  EXPECT_EQ(cell(sizes, "words per utterance", "esconv"), "18.77");
  EXPECT_EQ(cell(sizes, "seeker: utterances per session", "esconv"), "15.38");
  EXPECT_EQ(cell(sizes, "seeker: words per utterance", "esconv"), "16.80");
  EXPECT_EQ(cell(sizes, "seeker: emotions", "esconv"), "11");
  EXPECT_EQ(cell(sizes, "supporter: utterances per session", "esconv"), "13.61");
  EXPECT_EQ(cell(sizes, "supporter: words per utterance", "esconv"), "21.00");
  EXPECT_EQ(cell(sizes, "supporter: strategies", "esconv"), "8");
  EXPECT_EQ(cell(sizes, "sessions", "empathetic"), "2547");
  EXPECT_EQ(cell(sizes, "utterances", "empathetic"), "10973");
  EXPECT_EQ(cell(sizes, "utterances per session", "empathetic"), "4.31");
  EXPECT_EQ(cell(sizes, "seeker: emotions", "empathetic"), "32");
  // The paper prints 16.7 words beside the test split's sizes: that is the validation split's.
  EXPECT_EQ(cell(sizes, "words per utterance", "empathetic"), "17.77");
  const Table valid = size_table({count(corpora[4], "empathetic", "valid")});
  EXPECT_EQ(cell(valid, "words per utterance", "empathetic"), "16.72");

  const auto tables = corpus_tables(both, strategies, MergeLabel::first);
  ASSERT_EQ(tables.size(), 5u);
  EXPECT_EQ(cell(tables[4], "decisions", "all"), "14642");
  EXPECT_EQ(tables[4].columns.size(), 5u) << "no column for a split without decisions";
}

}  // namespace
}  // namespace straq::dialogue
