#include "text/split.h"

#include <gtest/gtest.h>

#include "core/rng.h"
#include "tests/testing.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces gpt2(std::string_view text) {
  Pieces out;
  split_gpt2(text, out);
  return out;
}
Pieces llama3(std::string_view text) {
  Pieces out;
  split_llama3(text, out);
  return out;
}
Pieces by_regex(const std::string& pattern, std::string_view text, bool keep_gaps = true) {
  Pieces out;
  const auto behavior = keep_gaps ? SplitBehavior::isolated : SplitBehavior::kept;
  RegexSplitter(pattern).split(text, behavior, false, out);
  return out;
}
Pieces by_stages(const PreTokenizer& stages, std::string_view text) {
  static std::deque<std::string> store;
  Pieces out;
  stages.split(text, true, store, out);
  return out;
}

TEST(Split, WordsTakeTheBlankBeforeThem) {
  EXPECT_EQ(gpt2("I feel  tired."), (Pieces{"I", " feel", " ", " tired", "."}));
  EXPECT_EQ(llama3("I feel  tired."), (Pieces{"I", " feel", " ", " tired", "."}));
}

TEST(Split, ContractionsWithoutRegardToCaseInLlama3Only) {
  EXPECT_EQ(llama3("It'S he'lL"), (Pieces{"It", "'S", " he", "'lL"}));
  EXPECT_EQ(gpt2("It's IT'S"), (Pieces{"It", "'s", " IT", "'", "S"}));
  EXPECT_EQ(llama3("x'\xC5\xBF"), (Pieces{"x", "'\xC5\xBF"}));  // the long s folds to s
}

TEST(Split, NumbersInThreesInLlama3Only) {
  EXPECT_EQ(llama3("12345"), (Pieces{"123", "45"}));
  EXPECT_EQ(gpt2("a 12345"), (Pieces{"a", " 12345"}));
}

TEST(Split, LineEndsCloseAPiece) {
  EXPECT_EQ(llama3("a.\n\nb"), (Pieces{"a", ".\n\n", "b"}));
  EXPECT_EQ(llama3("a \n \n  b"), (Pieces{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(llama3("a\n"), (Pieces{"a", "\n"}));
  EXPECT_EQ(gpt2("a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
}

TEST(Split, OneOtherCharacterMayLeadAWordInLlama3) {
  EXPECT_EQ(llama3("(ab) \tcd"), (Pieces{"(ab", ")", " ", "\tcd"}));
}

// The hand-written splitters against their own patterns run by PCRE2, on strings over characters
// that the patterns treat differently.
TEST(Split, HandWrittenEqualsPattern) {
  const std::vector<std::string> alphabet = {" ",
                                             " ",
                                             "\n",
                                             "\r",
                                             "\t",
                                             "\xC2\xA0",
                                             "'",
                                             "'",
                                             "s",
                                             "S",
                                             "ll",
                                             "re",
                                             "VE",
                                             "a",
                                             "\xC3\xA9",
                                             "\xE4\xBD\xA0",
                                             "1",
                                             "23",
                                             "!",
                                             "\xCC\x81",
                                             "\xE2\x80\x8D",
                                             "\xF0\x9F\x98\x80",
                                             "_",
                                             "\xC5\xBF",
                                             "\t",
                                             ".",
                                             "$",
                                             "\xC2\xBD",
                                             "\xC2\x85",
                                             "\xE1\xA0\x8E"};
  const RegexSplitter gpt2_regex{std::string(gpt2_pattern)};
  const RegexSplitter llama3_regex{std::string(llama3_pattern)};
  CounterRng rng(1, "split_test");
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::uint64_t n = rng.below(16); n > 0; --n) text += alphabet[rng.below(alphabet.size())];
    Pieces a, b;
    gpt2_regex.split(text, SplitBehavior::isolated, false, a);
    llama3_regex.split(text, SplitBehavior::isolated, false, b);
    ASSERT_EQ(gpt2(text), a) << text;
    ASSERT_EQ(llama3(text), b) << text;
  }
}

TEST(Split, RegexGapsAreKeptOrDropped) {
  EXPECT_EQ(by_regex("\\d+", "a12b", true), (Pieces{"a", "12", "b"}));
  EXPECT_EQ(by_regex("\\d+", "a12b", false), (Pieces{"12"}));
  EXPECT_EQ(by_regex("x*", "\xC3\xA9x\xC3\xA9"), (Pieces{"\xC3\xA9", "x", "\xC3\xA9"}));
}

TEST(Split, WhiteSpaceIsUnicodes) {
  // PCRE2's own \s would take the Mongolian vowel separator for a blank.
  EXPECT_EQ(by_regex("\\s", "\xE1\xA0\x8E \xC2\x85", false), (Pieces{" ", "\xC2\x85"}));
  EXPECT_EQ(by_regex("[^\\S\\n]", "\n\xE3\x80\x80", false), (Pieces{"\xE3\x80\x80"}));
}

TEST(Split, PatternsThatMeanSomethingElseAreRefused) {
  for (const char* pattern : {"\\w+", "\\bx", "\\h", "[a[b]]", "[a&&b]", "(", "a\\"}) {
    const auto error = straq::testing::error_of([&] { RegexSplitter splitter(pattern); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input) << pattern;
    EXPECT_NE(std::string(error->what()).find(pattern), std::string::npos);
  }
}

TEST(Split, StagesFollowEachOther) {
  PreTokenizer stages;
  stages.add_digits(true);
  stages.add_pattern(std::string(gpt2_pattern));
  EXPECT_EQ(by_stages(stages, "at 10 o'clock"), (Pieces{"at", " ", "1", "0", " o", "'", "clock"}));
  PreTokenizer runs;
  runs.add_digits(false);
  EXPECT_EQ(by_stages(runs, "at 10x"), (Pieces{"at ", "10", "x"}));
}

TEST(Unicode, ClassesOfKnownCharacters) {
  const CharClass* c = char_classes();
  EXPECT_EQ(c[U'a'], CharClass::letter);
  EXPECT_EQ(c[U'\u4e2d'], CharClass::letter);
  EXPECT_EQ(c[U'\u0663'], CharClass::number);
  EXPECT_EQ(c[U'\u00bd'], CharClass::number);
  EXPECT_EQ(c[U'\u0301'], CharClass::other);  // a combining mark is no letter
  EXPECT_EQ(c[U'\u00a0'], CharClass::space);
  EXPECT_EQ(c[U'\u200b'], CharClass::other);
  EXPECT_EQ(c[U'\n'], CharClass::newline);
}

}  // namespace
}  // namespace straq::text
