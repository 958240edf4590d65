#include "respond/reply_prompt.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/testing.h"

namespace straq::respond {
namespace {

using dialogue::Speaker;

dialogue::Episode episode() {
  dialogue::Episode e;
  e.situation = "lost a job {emotion}";
  e.turns = {{Speaker::supporter, "Hello", 0, {0}},
             {Speaker::seeker, "Hi", -1, {}},
             {Speaker::supporter, "What happened?", 0, {0}},
             {Speaker::seeker, "I was fired.", -1, {}}};
  return e;
}

ReplyPrompt planned() {
  return ReplyPrompt::load(testing::source_path("configs/replies/planned.yaml"));
}

TEST(ReplyPrompt, TheStrategyStandsLastSoThatAllBeforeItIsCommon) {
  const auto prompt = planned();
  const dialogue::Strategy question{"Question", "Que.", "Ask.", {}},
      information{"Information", "Inf.", "Tell.", {}};
  const auto a = prompt.messages(episode(), 4, &question),
             b = prompt.messages(episode(), 4, &information),
             earlier = prompt.messages(episode(), 2, &question);
  ASSERT_EQ(a.size(), 6u);
  const std::vector<std::string> roles{"system", "user", "assistant", "user", "assistant", "user"};
  for (std::size_t i = 0; i < roles.size(); ++i) EXPECT_EQ(a[i].role, roles[i]);
  EXPECT_NE(a[0].content.find("lost a job {emotion}"), std::string::npos)
      << "what looks like a placeholder in a value stays";
  EXPECT_EQ(a[1].content, prompt.opening);
  EXPECT_EQ(a[2].content, "Hello");
  ASSERT_EQ(b.size(), a.size());
  for (std::size_t i = 0; i + 1 < a.size(); ++i) EXPECT_EQ(a[i].content, b[i].content);
  EXPECT_TRUE(a[5].content.starts_with("I was fired.\n\n"));
  EXPECT_NE(a[5].content.find("\"Question\""), std::string::npos);
  EXPECT_NE(b[5].content.find("Tell."), std::string::npos);
  ASSERT_EQ(earlier.size(), 4u);
  EXPECT_TRUE(earlier[3].content.starts_with("Hi\n\n"));
}

TEST(ReplyPrompt, ASupporterMaySpeakFirstTwiceOrWithoutAStrategy) {
  const auto prompt = planned();
  const auto first = prompt.messages(episode(), 0, nullptr);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].content, prompt.opening + "\n\n" + prompt.no_note);
  const dialogue::Strategy question{"Question", "Que.", "Ask.", {}};
  const auto again = prompt.messages(episode(), 3, &question);
  EXPECT_EQ(again.back().role, "user");
  EXPECT_NE(again.back().content.find("Question"), std::string::npos);
}

TEST(ReplyPrompt, BadWordingIsNamed) {
  testing::TemporaryFolder folder;
  const auto load = [&](const std::string& note) {
    std::ofstream(folder.path("reply.yaml"))
        << "name: x\nsystem: s\nopening: o\nunknown: u\nnote: \"" << note << "\"\n";
    return testing::error_of([&] { ReplyPrompt::load(folder.path("reply.yaml")); })->full();
  };
  EXPECT_NE(load("use {strategie}").find("note"), std::string::npos);
  EXPECT_NE(load("say something").find("{strategy}"), std::string::npos);
}

}  // namespace
}  // namespace straq::respond
