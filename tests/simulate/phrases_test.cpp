// Templates: alternatives and slots are filled as written, and a table with a hole is refused when
// it is loaded, not when the hole is first drawn.
#include "simulate/phrases.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

using straq::testing::error_of;

std::set<std::string> all_renderings(const std::string& text) {
  const Phrase phrase = Phrase::parse(text, "test");
  CounterRng rng(3, "phrases-test");
  std::set<std::string> out;
  for (int i = 0; i < 400; ++i) {
    out.insert(phrase.render(rng, [](const std::string& slot) { return "<" + slot + ">"; }));
  }
  return out;
}

TEST(Phrase, DrawsEveryAlternative) {
  EXPECT_EQ(all_renderings("I {really |}do{, {a|b} {x}|}."),
            (std::set<std::string>{"I do.", "I really do.", "I do, a <x>.", "I do, b <x>.",
                                   "I really do, a <x>.", "I really do, b <x>."}));
  EXPECT_EQ(all_renderings("plain"), std::set<std::string>{"plain"});
}

TEST(Phrase, RefusesUnbalancedBracesAndBadNames) {
  for (const char* text : {"a {b", "a b}", "{a|{b}", "{}", "{Two Words}", "{a}}"}) {
    const auto e = error_of([&] { Phrase::parse(text, "seeker.same[3]"); });
    ASSERT_TRUE(e) << text;
    EXPECT_EQ(std::string(e->what()).rfind("seeker.same[3]", 0), 0u) << e->what();
  }
}

TEST(Tidy, CapitalisesSentencesAndMendsBlanks) {
  EXPECT_EQ(tidy(" hello  there , you .  it is 7.5 degrees. ok? yes "),
            "Hello there, you. It is 7.5 degrees. Ok? Yes");
  EXPECT_EQ(tidy("let me explain: my boss left"), "Let me explain: my boss left");
}

class PhraseBookTest : public ::testing::Test {
 protected:
  PhraseTables load() {
    const auto config = testing::shipped_config();
    config::Value all = config::Value::make_map();
    for (const auto& f : config.phrases) all = config::merge(all, config::load_config(f));
    return config::read<PhraseTables>(all);
  }
  std::string message(const PhraseTables& tables) {
    const auto e = error_of([&] { PhraseBook(tables, testing::esconv_strategies()); });
    return e ? e->full() : std::string();
  }
};

TEST_F(PhraseBookTest, ASlotThatNothingFillsIsRefused) {
  PhraseTables t = load();
  t.seeker.worse.push_back("I {nothing_here} that");
  EXPECT_NE(message(t).find("seeker.worse: nothing fills the slot {nothing_here}"),
            std::string::npos);
}

TEST_F(PhraseBookTest, ASlotThatContainsItselfIsRefused) {
  PhraseTables t = load();
  t.lists.push_back({"ping", {"{pong}"}});
  t.lists.push_back({"pong", {"x", "{ping}"}});
  EXPECT_NE(message(t).find("contains itself"), std::string::npos);
  t = load();
  t.problems[0].facts.push_back({"I said {fact}", "you said it"});
  EXPECT_NE(message(t).find("{fact} contains itself"), std::string::npos);
}

TEST_F(PhraseBookTest, MissingPartsAreRefusedByName) {
  PhraseTables t = load();
  t.supporter.erase(t.supporter.begin());
  EXPECT_NE(message(t).find("supporter.Question: the strategy has no phrases"), std::string::npos);
  t = load();
  t.problems[1].emotions = {"boredom"};
  EXPECT_NE(message(t).find("unknown emotion \"boredom\""), std::string::npos);
  t = load();
  t.problems[1].facts[0].pop_back();
  EXPECT_NE(message(t).find("each entry has two texts"), std::string::npos);
  t = load();
  t.seeker.intensity.pop_back();
  EXPECT_NE(message(t).find("five lists"), std::string::npos);
}

TEST_F(PhraseBookTest, NoBraceReachesTheText) {
  const PhraseBook book(load(), testing::esconv_strategies());
  CounterRng rng(5, "book-test");
  for (int i = 0; i < 4000; ++i) {
    PhraseBook::Scene scene;
    scene.problem = static_cast<int>(rng.below(book.problems().size()));
    const auto& p = book.problems()[static_cast<std::size_t>(scene.problem)];
    scene.emotion = p.emotions[rng.below(p.emotions.size())];
    scene.fact = static_cast<int>(rng.below(static_cast<std::uint64_t>(p.facts)));
    scene.intensity = 1 + static_cast<int>(rng.below(5));
    const auto place = static_cast<PhraseBook::Supporting>(rng.below(4));
    const auto stage = static_cast<Stage>(rng.below(3));
    const std::string text = book.support(static_cast<int>(rng.below(8)), stage, place, scene, rng);
    EXPECT_EQ(text.find_first_of("{|}"), std::string::npos) << text;
    EXPECT_EQ(text.find("  "), std::string::npos) << text;
    EXPECT_GT(text.size(), 5u);
    EXPECT_NE(std::string(".?!").find(text.back()), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace straq::simulate
