#include "respond/parse.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace straq::respond {
namespace {

dialogue::StrategySet esconv() {
  return dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
}

TEST(Parse, AnAnswerIsCutAtItsLabels) {
  const auto a =
      cut_answer("Sure!\n**Strategy:** Question\n- Reply: How are you?\nTell me.", answer_labels());
  EXPECT_EQ(a.before, "Sure!\n");
  ASSERT_NE(a.find("strategy"), nullptr);
  EXPECT_EQ(bare_text(*a.find("strategy")), "Question");
  EXPECT_EQ(bare_text(*a.find("reply")), "How are you? Tell me.");
  EXPECT_EQ(a.find("emotion"), nullptr);

  const auto line = cut_answer("strategy: Others Reply: Hello.", answer_labels());
  EXPECT_EQ(bare_text(*line.find("strategy")), "Others");
  EXPECT_EQ(bare_text(*line.find("reply")), "Hello.");

  const auto tagged = cut_answer("Supporter (Question): What happened?", answer_labels());
  EXPECT_EQ(tagged.tag, "Question");
  EXPECT_EQ(bare_text(*tagged.find("reply")), "What happened?");
}

TEST(Parse, OnlyTheFirstOfAPartCountsAndTheSeekersLineEndsIt) {
  const auto a =
      cut_answer("Strategy: Question\nReply: How?\nSeeker: Badly.\nStrategy: Others\nReply: Bye.",
                 answer_labels());
  EXPECT_EQ(bare_text(*a.find("strategy")), "Question");
  EXPECT_EQ(bare_text(*a.find("reply")), "How?");
}

TEST(Parse, WordsThatOnlyLookLikeALabelAreText) {
  const auto a = cut_answer("My reply is this; a strategy: none. Responses: two", answer_labels());
  EXPECT_TRUE(a.parts.empty());
  EXPECT_EQ(cut_answer("", answer_labels()).before, "");
}

TEST(Parse, AStrategyIsReadByItsRules) {
  const auto set = esconv();
  const std::vector<std::pair<const char*, int>> cases = {
      {"Question", 0},
      {" \"Reflection of Feelings\". ", 2},
      {"[Providing Suggestions]", 5},
      {"(4) Self-disclosure", 3},
      {"7. Information", 6},
      {"Que.", 0},
      {"Restatement", 1},  // an alias
      {"I would use Affirmation and Reassurance here", 4},
      {"5", 4},
      {"(5)", 4},
      {"5: because", 4},
      // The name goes before the number that contradicts it.
      {"(1) Information", 6},
      // Several, none, and numbers that are none of the options.
      {"Question or Information", -1},
      {"1. Question or Information", -1},
      {"Listening", -1},
      {"9", -1},
      {"0", -1},
      {"", -1},
      {"12 weeks", -1},
      {"Misinformation", -1},
  };
  for (const auto& [words, expected] : cases) EXPECT_EQ(strategy_of(words, set), expected) << words;
}

TEST(Parse, ANumberStandsByItself) {
  const auto n = [](const char* text) { return number_of(text, 1, 5).value_or(0); };
  EXPECT_EQ(n("4"), 4);
  EXPECT_EQ(n("I give it a 4."), 4);
  EXPECT_EQ(n("4/5"), 4);
  EXPECT_EQ(n("**3** of 5"), 3);
  EXPECT_EQ(n("On a scale of 1-5 it is 2"), 2);
  EXPECT_EQ(n("from 1 to 5: 2"), 2);
  EXPECT_EQ(n("4.5"), 0);
  EXPECT_EQ(n("45"), 0);
  EXPECT_EQ(n("good"), 0);
  EXPECT_EQ(n("0 or 7, well 5"), 5);
}

TEST(Parse, VerdictsNamesAndBareTexts) {
  EXPECT_EQ(verdict_of("Yes, it does."), true);
  EXPECT_EQ(verdict_of("**No**"), false);
  EXPECT_EQ(verdict_of("Nobody knows"), std::nullopt);
  EXPECT_EQ(name_of("We are at Comforting.", {"Exploration", "Comforting"}), 1);
  EXPECT_EQ(name_of("Exploration or Comforting", {"Exploration", "Comforting"}), -1);
  EXPECT_EQ(bare_text("  \"I hear\nyou.\" "), "I hear you.");
  EXPECT_EQ(bare_text("\"a\" and \"b\""), "\"a\" and \"b\"");
}

}  // namespace
}  // namespace straq::respond
