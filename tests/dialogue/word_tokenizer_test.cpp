#include "dialogue/word_tokenizer.h"

#include <gtest/gtest.h>

namespace straq::dialogue {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}
std::string lower(const std::string& text) {
  return joined(word_tokenize(text, Case::lower));
}
std::string sentence(const std::string& text) {
  return joined(tokenize_sentence(text));
}

TEST(Words, WorkedExamples) {
  EXPECT_EQ(lower("I'm sorry to hear that. How long have you felt this way?"),
            "i 'm sorry to hear that . how long have you felt this way ?");
  EXPECT_EQ(lower("I can't believe it... you're so strong!"),
            "i ca n't believe it ... you 're so strong !");
  EXPECT_EQ(lower("Mr. Smith's dog (a lab) cost $5,000."),
            "mr. smith 's dog ( a lab ) cost $ 5,000 .");
  EXPECT_EQ(lower("Don't give up, you've got this :)"), "do n't give up , you 've got this : )");
  EXPECT_EQ(lower("it's 5:30 p.m. now - let's go"), "it 's 5:30 p.m. now - let 's go");
}

// Each expectation was produced by NLTK's word tokenizer for that sentence.
TEST(Words, TreebankRules) {
  EXPECT_EQ(sentence("\"Go home,\" she said."), "`` Go home , '' she said .");
  EXPECT_EQ(sentence("He called it \"fine\"."), "He called it `` fine '' .");
  EXPECT_EQ(sentence("I cannot, gonna and wanna try; 'tis hard."),
            "I can not , gon na and wan na try ; 't is hard .");
  EXPECT_EQ(sentence("gonna/wanna/x wanna."), "gon na /wanna/x wan na .");
  EXPECT_EQ(sentence("well--maybe"), "well -- maybe");
  EXPECT_EQ(sentence("no,yes ,ok,,then"), "no , yes , ok , ,then");
  EXPECT_EQ(sentence("the dogs' owner"), "the dogs ' owner");
  EXPECT_EQ(sentence("mid. sentence stop."), "mid. sentence stop .");
  EXPECT_EQ(sentence("really?!"), "really ? !");
  EXPECT_EQ(sentence("mail me @ 50% & #1"), "mail me @ 50 % & # 1");
  EXPECT_EQ(sentence("WE'LL see, He'Ll not"), "WE 'LL see , He'Ll not");
  EXPECT_EQ(sentence("a \xE2\x80\x9Cquote\xE2\x80\x9D and it\xE2\x80\x99s"),
            "a \xE2\x80\x9C quote \xE2\x80\x9D and it \xE2\x80\x99 s");
  // NLTK 3.10 parts these; published numbers come from versions that do not.
  EXPECT_EQ(sentence("what your 'freinds want"), "what your 'freinds want");
  EXPECT_EQ(sentence("now\xE2\x80\x93or never"), "now\xE2\x80\x93or never");
  EXPECT_EQ(sentence(""), "");
  EXPECT_EQ(sentence(" \t "), "");
}

TEST(Words, SentencesEndWhereTheRuleSays) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(split_sentences("One. Two? Three!  Four"), (Strings{"One.", "Two?", "Three!", "Four"}));
  EXPECT_EQ(split_sentences("He said \"no.\" Then left."),
            (Strings{"He said \"no.\"", "Then left."}));
  EXPECT_EQ(split_sentences("See Dr. Lee (e.g. on Monday) at 5 p.m. sharp."),
            (Strings{"See Dr. Lee (e.g. on Monday) at 5 p.m. sharp."}));
  EXPECT_EQ(split_sentences("John F. Kennedy. And I. You too."),
            (Strings{"John F. Kennedy.", "And I.", "You too."}));
  EXPECT_EQ(split_sentences("etc... more"), (Strings{"etc...", "more"}))
      << "only a single stop belongs to an abbreviation";
  EXPECT_EQ(split_sentences("no.space 3.5 here"), (Strings{"no.space 3.5 here"}));
  EXPECT_TRUE(split_sentences("  ").empty());
}

TEST(Words, CountingIsTokenising) {
  for (const char* text :
       {"", " ", "I can't. Can you?", "Dr. No said \"yes\" (twice)... I'm off!",
        "a\xFFz 'tis 5:30, gonna", "caf\xC3\xA9 \xE2\x80\x9Cquoted\xE2\x80\x9D"}) {
    EXPECT_EQ(word_count(text), static_cast<std::int64_t>(word_tokenize(text).size())) << text;
  }
}

TEST(Words, IllFormedBytesDoNotStopIt) {
  EXPECT_EQ(sentence("ok \xFF, fine."), "ok \xEF\xBF\xBD , fine .");
}

}  // namespace
}  // namespace straq::dialogue
