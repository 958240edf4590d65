// Each method against answers written by hand, good and malformed ones.
#include "respond/methods/methods.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/files/files.h"
#include "respond/responder.h"
#include "tests/respond/scripted_source.h"
#include "tests/testing.h"

namespace straq::respond {
namespace {

using testing::asks;
using testing::fails;
using testing::last_words;
using testing::prefers;
using testing::says;
using testing::ScriptedSource;
using Notes = std::vector<std::pair<std::string, std::string>>;
using Words = std::vector<std::string>;

std::string wording_folder() {
  return testing::source_path("configs/replies/");
}

dialogue::Episode talk() {
  dialogue::Episode e;
  e.id = "test/00001";
  e.emotion = "fear";
  e.problem = "job crisis";
  e.situation = "lost a job";
  e.turns = {{dialogue::Speaker::seeker, "Hi", -1, {}},
             {dialogue::Speaker::supporter, "What happened?", 0, {0}},
             {dialogue::Speaker::seeker, "I was fired.", -1, {}},
             {dialogue::Speaker::supporter, "Oh no.", 2, {2}}};
  dialogue::Decision first, second;
  first.turn = 1;
  second.turn = 3;
  second.gold = 2;
  e.decisions = {first, second};
  return e;
}

class Methods : public ::testing::Test {
 protected:
  // What the method makes of the second decision.
  Outcome reply(const std::string& method, ScriptedSource& source,
                std::optional<int> plan = std::nullopt) {
    const auto& entry = method_entry(method);
    const auto opened = entry.open(wording_folder() + entry.wording, strategies_);
    const Stage stage{strategies_, wording_, config_};
    return respond_to(source, stage, {opened}, {{{&episode_, 3, plan}}}).at(0).at(0).value();
  }

  dialogue::StrategySet strategies_ =
      dialogue::StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
  ContextWording wording_ = ContextWording::load(wording_folder() + "context.yaml");
  SceneConfig config_;
  dialogue::Episode episode_ = talk();
};

TEST_F(Methods, DirectReadsStrategyAndReply) {
  ScriptedSource source([](const language::Request&) {
    return says("Strategy: Reflection of feelings\nReply: You must be scared.");
  });
  const auto out = reply("direct", source);
  EXPECT_EQ(out.strategy, 2);
  EXPECT_EQ(out.reply, "You must be scared.");
  EXPECT_EQ(out.finish, language::Finish::stop);
  EXPECT_TRUE(out.unread.empty());
  EXPECT_EQ(out.usage.requests, 1);
  ASSERT_EQ(source.asked.size(), 1u);
  const auto& asked = source.asked[0];
  ASSERT_EQ(asked.messages.size(), 2u);
  EXPECT_NE(asked.messages[0].content.find("(3) Reflection of feelings: "), std::string::npos);
  const auto& text = asked.messages[1].content;
  for (const char* shown : {"Emotion: fear\n", "Situation: lost a job\n", "Seeker: Hi\n",
                            "Supporter (Question): What happened?\n", "Seeker: I was fired.\n"}) {
    EXPECT_NE(text.find(shown), std::string::npos) << shown << text;
  }
  EXPECT_EQ(text.find("job crisis"), std::string::npos);
  EXPECT_EQ(text.find("Oh no."), std::string::npos) << "what is to be written is not shown";
  EXPECT_EQ(asked.sampling.max_tokens, 64 + 32);
  EXPECT_EQ(asked.sampling.stop, Words{"\nSeeker:"});
}

TEST_F(Methods, MalformedAnswersAreCountedAndNotAskedAgain) {
  struct Case {
    const char* text;
    int strategy;
    const char* reply;
    Words unread;
  };
  const std::vector<Case> cases = {
      {"Supporter (Question): Why?", 0, "Why?", {}},
      {"[Question] Why?", 0, "Why?", {"label"}},
      {"Strategy: Question\nWhy do you think so?", 0, "Why do you think so?", {"label"}},
      {"I am sorry to hear that.", -1, "I am sorry to hear that.", {"strategy", "label"}},
      {"Strategy: Listening\nReply: I am here.", -1, "I am here.", {"strategy"}},
      {"Strategy: Question", 0, "", {"label", "reply"}},
      {"", -1, "", {"strategy", "label", "reply"}},
  };
  for (const auto& c : cases) {
    ScriptedSource source([&](const language::Request&) { return says(c.text); });
    const auto out = reply("direct", source);
    EXPECT_EQ(out.strategy, c.strategy) << c.text;
    EXPECT_EQ(out.reply, c.reply) << c.text;
    EXPECT_EQ(out.unread, c.unread) << c.text;
    EXPECT_EQ(source.asked.size(), 1u) << c.text;
  }
}

TEST_F(Methods, AFailedRequestIsAFailedReply) {
  ScriptedSource source([](const language::Request&) { return fails("the server is gone"); });
  const auto out = reply("self_refine", source);
  EXPECT_EQ(out.finish, language::Finish::failed);
  EXPECT_EQ(out.error, "the server is gone");
  EXPECT_EQ(out.strategy, -1);
}

TEST_F(Methods, DirectByScoresChoosesThenWrites) {
  config_.choose = Choosing::scores;
  ScriptedSource source([](const language::Request& r) {
    return r.choices.empty() ? says("Reply: You can do it.") : prefers(4, r.choices.size());
  });
  const auto out = reply("direct", source);
  EXPECT_EQ(out.strategy, 4);
  EXPECT_EQ(out.reply, "You can do it.");
  ASSERT_EQ(source.asked.size(), 2u);
  EXPECT_EQ(source.asked[0].choices, (Words{"1", "2", "3", "4", "5", "6", "7", "8"}));
  const auto& written = source.asked[1].messages;
  ASSERT_EQ(written.size(), 4u);
  EXPECT_EQ(written[2].role, "assistant");
  EXPECT_EQ(written[2].content, "5") << "the chat goes on as if the model had said it";
  EXPECT_TRUE(asks(source.asked[1], "\"Affirmation and Reassurance\""));
  EXPECT_EQ(source.asked[1].sampling.max_tokens, 64);
}

TEST_F(Methods, DirectRefineRevisesWhatItSaid) {
  ScriptedSource source([](const language::Request& r) {
    return says(r.messages.size() == 2 ? "Strategy: Question\nReply: Why?"
                                       : "Strategy: Others\nReply: ");
  });
  const auto out = reply("direct_refine", source);
  EXPECT_EQ(out.strategy, 7);
  EXPECT_EQ(out.reply, "Why?") << "what the revision lacks stays as it was";
  EXPECT_EQ(out.unread, Words{"reply"});
  EXPECT_EQ(out.notes, (Notes{{"first", "Why?"}}));
  ASSERT_EQ(source.asked.size(), 2u);
  EXPECT_EQ(source.asked[1].messages[2].content, "Strategy: Question\nReply: Why?");
}

TEST_F(Methods, SelfRefineFollowsItsOwnFeedback) {
  ScriptedSource source([](const language::Request& r) {
    if (r.messages.size() == 2) return says("Strategy: Question\nReply: Why?");
    if (r.messages.size() == 4) return says("Be warmer.\nReally.");
    return says("Strategy: Reflection of feelings\nReply: That hurts.");
  });
  const auto out = reply("self_refine", source);
  EXPECT_EQ(out.strategy, 2);
  EXPECT_EQ(out.reply, "That hurts.");
  EXPECT_EQ(out.notes, (Notes{{"first", "Why?"}, {"feedback", "Be warmer. Really."}}));
  EXPECT_EQ(out.usage.requests, 3);
  EXPECT_EQ(source.asked[1].sampling.max_tokens, 96);
  ASSERT_EQ(source.asked[2].messages.size(), 6u);
  EXPECT_EQ(source.asked[2].messages[4].content, "Be warmer.\nReally.");
}

TEST_F(Methods, CotNamesTheEmotionFirst) {
  ScriptedSource text([](const language::Request&) {
    return says("Emotion: afraid\nStrategy: Question\nReply: Of what?");
  });
  const auto out = reply("cot", text);
  EXPECT_EQ(out.notes, (Notes{{"emotion", "afraid"}}));
  EXPECT_EQ(out.strategy, 0);
  EXPECT_EQ(out.reply, "Of what?");
  ScriptedSource without(
      [](const language::Request&) { return says("Strategy: Question\nReply: Of what?"); });
  EXPECT_EQ(reply("cot", without).unread, Words{"emotion"});

  config_.choose = Choosing::scores;
  ScriptedSource scored([](const language::Request& r) {
    if (!r.choices.empty()) return prefers(0, r.choices.size());
    return says(r.messages.size() == 2 ? "They are afraid." : "Of what?");
  });
  const auto chosen = reply("cot", scored);
  EXPECT_EQ(chosen.notes, (Notes{{"emotion", "They are afraid."}}));
  EXPECT_EQ(chosen.reply, "Of what?");
  EXPECT_EQ(chosen.usage.requests, 3);
}

// Answers the machine's questions; `checks` are given in turn.
ScriptedSource::Script machine_answers(std::vector<std::string> checks) {
  return [checks = std::move(checks)](const language::Request& r) {
    if (asks(r, "At which stage")) return says("(2) Comforting");
    if (asks(r, "At this stage")) return says("3");
    if (asks(r, "Answer with yes or no")) return says(checks.at((r.messages.size() - 8) / 4));
    return says(r.messages.size() > 8 ? "Second try." : "First try.");
  };
}

TEST_F(Methods, TheMachineAssessesChoosesWritesAndVerifies) {
  ScriptedSource source(machine_answers({"Yes."}));
  const auto out = reply("fsm", source);
  EXPECT_EQ(out.strategy, 2);
  EXPECT_EQ(out.reply, "First try.");
  EXPECT_EQ(out.notes, (Notes{{"stage", "Comforting"}, {"verify", "yes"}}));
  ASSERT_EQ(source.asked.size(), 4u);
  EXPECT_TRUE(asks(source.asked[1], "(3) Reflection of feelings\n(4) Self-disclosure"));
  EXPECT_FALSE(asks(source.asked[1], "(1) Question")) << "the stage does not allow it";
}

TEST_F(Methods, TheMachineWritesAgainOnce) {
  ScriptedSource source(machine_answers({"No", "No"}));
  const auto out = reply("fsm", source);
  EXPECT_EQ(out.reply, "Second try.");
  EXPECT_EQ(out.notes,
            (Notes{{"stage", "Comforting"}, {"verify", "no"}, {"rejected", "First try."}}));
  EXPECT_EQ(source.asked.size(), 5u) << "verified once, written twice";
}

TEST_F(Methods, WhatTheMachineCannotReadIsCounted) {
  ScriptedSource source([](const language::Request& r) {
    if (asks(r, "At which stage")) return says("hard to say");
    if (asks(r, "At this stage")) return says("Listening");
    if (asks(r, "Answer with yes or no")) return says("maybe");
    return says("Here.");
  });
  const auto out = reply("fsm", source);
  EXPECT_EQ(out.unread, (Words{"stage", "strategy", "check"}));
  EXPECT_EQ(out.strategy, -1);
  EXPECT_EQ(out.reply, "Here.");
  EXPECT_TRUE(asks(source.asked[1], "(1) Question\n(2) ")) << "without a stage all are allowed";

  config_.choose = Choosing::scores;
  ScriptedSource scored([](const language::Request& r) {
    return r.choices.empty() ? says("Here.") : prefers(1, r.choices.size());
  });
  const auto sure = reply("fsm", scored);
  EXPECT_EQ(sure.strategy, 2) << "the second of those that Comforting allows";
  EXPECT_EQ(sure.notes.at(1), (std::pair<std::string, std::string>{"verify", "no"}));
}

TEST_F(Methods, AMachineThatCannotWorkIsRefused) {
  testing::TemporaryFolder folder;
  const std::string good = read_file(wording_folder() + "fsm.yaml");
  const auto complaint = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(folder.path("fsm.yaml")) << text;
    return testing::error_of([&] { open_fsm(folder.path("fsm.yaml"), strategies_); })->full();
  };
  EXPECT_NE(complaint("next: choose", "next: chose").find("\"chose\", which is no state"),
            std::string::npos);
  EXPECT_NE(complaint("    no: write\n", "").find("`no` is for a check"), std::string::npos);
  EXPECT_NE(complaint("[Question,", "[Questoin,").find("\"Questoin\" is no strategy"),
            std::string::npos);
  EXPECT_NE(complaint("      {options}", "      {option}").find("option"), std::string::npos);
}

TEST_F(Methods, StraqFollowsThePlan) {
  ScriptedSource source([](const language::Request&) { return says("\"Try a walk.\""); });
  const auto out = reply("straq", source, 5);
  EXPECT_EQ(out.strategy, 5);
  EXPECT_EQ(out.reply, "Try a walk.");
  ASSERT_EQ(source.asked.size(), 1u);
  EXPECT_TRUE(asks(source.asked[0], "\"Providing Suggestions\". Offer ideas"));
}

// The bytes that two prompts begin with in common, message by message.
std::string text_of(const std::vector<language::Message>& messages) {
  std::string out;
  for (const auto& m : messages) out += "<" + m.role + ">" + m.content;
  return out;
}
std::size_t common(const std::string& a, const std::string& b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

TEST_F(Methods, AllMethodsAndDecisionsShareWhatTheirPromptsBeginWith) {
  const auto first = text_of(context_of(wording_, {}, strategies_, episode_, 1));
  const auto second = text_of(context_of(wording_, {}, strategies_, episode_, 3));
  EXPECT_TRUE(second.starts_with(first)) << second;
  ScriptedSource source([](const language::Request&) { return says("x"); });
  for (const char* name : {"direct", "direct_refine", "self_refine", "cot", "fsm", "straq"}) {
    source.asked.clear();
    reply(name, source, 0);
    EXPECT_TRUE(text_of(source.asked.front().messages).starts_with(second)) << name;
  }
}

TEST_F(Methods, ThePapersOrderPutsTheStrategiesLast) {
  ContextConfig paper;
  paper.order = ContextOrder::paper;
  const auto chat = context_of(wording_, paper, strategies_, episode_, 3);
  ASSERT_EQ(chat.size(), 1u);
  const auto& text = chat[0].content;
  std::size_t at = 0;
  for (const char* part :
       {"You are a psychological consultant", "Emotion: fear", "Situation: lost", "Seeker: Hi",
        "What the seeker has just said:\nI was fired.", "(8) Others"}) {
    const auto found = text.find(part, at);
    EXPECT_NE(found, std::string::npos) << part << "\n" << text;
    at = found;
  }
  // The next decision shares the history, and no more.
  const auto earlier = context_of(wording_, paper, strategies_, episode_, 1)[0].content;
  EXPECT_EQ(common(earlier, text), earlier.find("What the seeker has just said") - 1);
}

TEST_F(Methods, TheContextShowsWhatTheConfigSays) {
  ContextConfig c;
  c.emotion = false;
  c.problem = true;
  c.history_strategy = false;
  c.turns = 2;
  const auto text = text_of(context_of(wording_, c, strategies_, episode_, 3));
  EXPECT_EQ(text.find("Emotion:"), std::string::npos);
  EXPECT_NE(text.find("Problem: job crisis"), std::string::npos);
  EXPECT_NE(text.find("Supporter: What happened?"), std::string::npos);
  EXPECT_EQ(text.find("Seeker: Hi"), std::string::npos);
}

TEST_F(Methods, EveryEntryOpensItsWordingAndBadOnesAreNamed) {
  std::set<std::string> names;
  for (const auto& entry : method_entries()) {
    EXPECT_EQ(entry.open(wording_folder() + entry.wording, strategies_).name, entry.name);
    EXPECT_TRUE(names.insert(entry.name).second);
  }
  EXPECT_EQ(names.size(), 6u);
  EXPECT_NE(testing::error_of([] { method_entry("dirct"); })->full().find("direct"),
            std::string::npos);
  testing::TemporaryFolder folder;
  std::ofstream(folder.path("direct.yaml")) << "ask: a\nchoose: b\nwrite: c {stratgy}\n";
  const auto error =
      testing::error_of([&] { open_direct(folder.path("direct.yaml"), strategies_); })->full();
  EXPECT_NE(error.find("direct.yaml:3"), std::string::npos) << error;
  EXPECT_NE(error.find("{strategy}"), std::string::npos) << error;
}

}  // namespace
}  // namespace straq::respond
