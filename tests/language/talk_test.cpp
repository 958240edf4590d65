#include "language/talk.h"

#include <gtest/gtest.h>

#include "tests/language/requests.h"
#include "tests/respond/scripted_source.h"

namespace straq::language {
namespace {

using testing::fails;
using testing::says;
using testing::ScriptedSource;

TEST(Talk, GoesOnWithItsAnswersAndSharesRounds) {
  ScriptedSource source([](const Request& r) { return says(r.prompt + "!"); });
  std::vector<std::string> found(3);
  std::vector<Talk> talks;
  talks.emplace_back([&](Inquiry& with) { found[0] = with.ask(text_request("a")).text; });
  talks.emplace_back([&](Inquiry& with) {
    const std::string first = with.ask(text_request("b")).text;
    found[1] = with.ask(text_request(first + "c")).text;
  });
  talks.emplace_back([&](Inquiry&) { found[2] = "asked nothing"; });
  std::vector<std::size_t> over;
  std::vector<std::int64_t> requests(3), tokens(3);
  const auto rounds = run_talks(source, talks,
                                {.over =
                                     [&](std::size_t i, const TalkEnd& end) {
                                       over.push_back(i);
                                       EXPECT_EQ(end.error, "");
                                       requests[i] = end.usage.requests;
                                       tokens[i] = end.usage.prompt_tokens + end.usage.reply_tokens;
                                     },
                                 .answered = {},
                                 .stop = {}});
  EXPECT_EQ(found, (std::vector<std::string>{"a!", "b!c!", "asked nothing"}));
  EXPECT_EQ(rounds, 2);
  EXPECT_EQ(source.rounds, (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(over, (std::vector<std::size_t>{2, 0, 1}));
  EXPECT_EQ(requests, (std::vector<std::int64_t>{1, 2, 0}));
  EXPECT_EQ(tokens, (std::vector<std::int64_t>{13, 26, 0}));
}

TEST(Talk, WhatDoesNotWaitForEachOtherIsOneRound) {
  ScriptedSource source(
      [](const Request& r) { return r.prompt == "bad" ? fails("no") : says(r.prompt + "!"); });
  std::string found;
  const auto talk_of = [&](const std::string& second) -> Talk {
    return [&found, second](Inquiry& with) {
      const auto both = with.ask_all({text_request("a"), text_request(second)});
      found = both[0].text + both[1].text;
      found += with.ask(text_request("c")).text;
      EXPECT_TRUE(with.ask_all({}).empty());
    };
  };
  EXPECT_EQ(run_talks(source, {talk_of("b")}, {}), 2);
  EXPECT_EQ(found, "a!b!c!");
  EXPECT_EQ(source.rounds, (std::vector<std::size_t>{2, 1}));
  std::string error;
  run_talks(source, {talk_of("bad")},
            {.over = [&](std::size_t, const TalkEnd& end) { error = end.error; },
             .answered = {},
             .stop = {}});
  EXPECT_EQ(error, "no") << "one of several that fails ends the talk";
}

TEST(Talk, WhatSeveralAskAlikeIsAskedOnce) {
  ScriptedSource source([](const Request&) { return says("same"); });
  int heard = 0;
  const Talk talk = [&](Inquiry& with) { heard += with.ask(text_request("a")).text == "same"; };
  run_talks(source, {talk, talk, talk}, {});
  EXPECT_EQ(source.asked.size(), 1u);
  EXPECT_EQ(heard, 3);
}

TEST(Talk, AFailedRequestEndsItsTalkAlone) {
  ScriptedSource source(
      [](const Request& r) { return r.prompt == "bad" ? fails("too long") : says("fine"); });
  int beyond = 0;
  const auto talk_of = [&](const std::string& prompt) -> Talk {
    return [&, prompt](Inquiry& with) {
      with.ask(text_request(prompt));
      with.ask(text_request("more of " + prompt));
      ++beyond;
    };
  };
  std::vector<std::string> errors(2, "not over");
  run_talks(source, {talk_of("bad"), talk_of("good")},
            {.over = [&](std::size_t i, const TalkEnd& end) { errors[i] = end.error; },
             .answered = {},
             .stop = {}});
  EXPECT_EQ(errors, (std::vector<std::string>{"too long", ""}));
  EXPECT_EQ(beyond, 1);
}

TEST(Talk, AStopLeavesTheRestUnasked) {
  ScriptedSource source([](const Request&) { return says("x"); });
  int over = 0, looks = 0;
  const Talk talk = [](Inquiry& with) {
    with.ask(text_request("a"));
    with.ask(text_request("b"));
  };
  run_talks(source, {talk},
            {.over = [&](std::size_t, const TalkEnd&) { ++over; },
             .answered = {},
             .stop = [&] { return ++looks > 1; }});
  EXPECT_EQ(over, 0);
  EXPECT_EQ(source.asked.size(), 1u);
}

}  // namespace
}  // namespace straq::language
