// Nothing is asked twice: not by the next run, not within one, not after an interruption.
#include "language/recording.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "core/files/files.h"
#include "tests/language/requests.h"
#include "tests/testing.h"

namespace straq::language {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::vector<Request> some(int count) {
  std::vector<Request> out;
  for (int i = 0; i < count; ++i) out.push_back(chat("q" + std::to_string(i)));
  return out;
}

TEST(Recording, TheSecondRunAsksNothing) {
  TemporaryFolder folder;
  auto inner = std::make_unique<CountingSource>();
  auto asked = inner->asked;
  {
    Recording source(std::move(inner), folder.path());
    EXPECT_EQ(source.name(), "counting at here");
    EXPECT_TRUE(source.scores());
    for (const Reply& r : replies_of(source, some(5))) EXPECT_FALSE(r.recorded);
    for (const Reply& r : replies_of(source, some(5))) EXPECT_TRUE(r.recorded);
  }
  auto next = std::make_unique<CountingSource>();
  auto asked_again = next->asked;
  Recording source(std::move(next), folder.path());
  auto requests = some(6);
  requests[1].id = "another name";
  const auto replies = replies_of(source, requests);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(replies[i].text, "echo of q" + std::to_string(i));
    EXPECT_TRUE(replies[i].recorded);
  }
  EXPECT_FALSE(replies[5].recorded);
  EXPECT_EQ(*asked_again, (std::map<std::string, int>{{"q5", 1}}));
  EXPECT_EQ(asked->size(), 5u);
}

TEST(Recording, AnInterruptedJobPaysForNoReplyTwice) {
  TemporaryFolder folder;
  std::map<std::string, int> paid;
  // Each run dies somewhere: the source is lost, or what takes the replies throws.
  for (int run = 0; run < 40; ++run) {
    auto inner = std::make_unique<CountingSource>();
    auto asked = inner->asked;
    int left = 1;
    inner->before = [&](const std::string& words, Reply&) {
      if (run % 2 == 0 && left-- == 0) {
        --(*asked)[words];  // it was lost before it answered
        fail_runtime("the server is gone");
      }
    };
    Recording source(std::move(inner), folder.path());
    int taken = 0;
    bool whole = true;
    try {
      source.answer(some(12), [&](std::size_t, Reply reply) {
        if (run % 2 == 1 && !reply.recorded && ++taken == 2) throw std::runtime_error("killed");
      });
    } catch (const std::exception&) {
      whole = false;
    }
    for (const auto& [words, times] : *asked) paid[words] += times;
    if (whole) break;
  }
  ASSERT_EQ(paid.size(), 12u);
  for (const auto& [words, times] : paid) EXPECT_EQ(times, 1) << words;
}

TEST(Recording, EqualRequestsOfOneCallAreAskedOnce) {
  TemporaryFolder folder;
  auto inner = std::make_unique<CountingSource>();
  auto asked = inner->asked;
  Recording source(std::move(inner), folder.path());
  auto requests = some(2);
  requests.push_back(requests[0]);
  requests.push_back(requests[0]);
  requests[3].sample = 1;  // not equal
  const auto replies = replies_of(source, requests);
  EXPECT_EQ((*asked)["q0"], 2);
  EXPECT_FALSE(replies[0].recorded);
  EXPECT_TRUE(replies[2].recorded);
  EXPECT_FALSE(replies[3].recorded);
  EXPECT_EQ(replies[2].text, "echo of q0");
}

TEST(Recording, WhatFailedIsRecordedAndAskedAgain) {
  TemporaryFolder folder;
  for (const bool fails : {true, true, false}) {
    auto inner = std::make_unique<CountingSource>();
    auto asked = inner->asked;
    inner->before = [&](const std::string&, Reply& reply) {
      if (!fails) return;
      reply = {};
      reply.finish = Finish::failed;
      reply.error = "too busy";
    };
    Recording source(std::move(inner), folder.path());
    const auto replies = replies_of(source, {chat("q"), chat("q")});
    EXPECT_EQ((*asked)["q"], 1);
    for (const Reply& r : replies) {
      EXPECT_EQ(r.finish, fails ? Finish::failed : Finish::stop);
      EXPECT_EQ(r.error, fails ? "too busy" : "");
    }
    if (!fails) continue;
    Replay replay(folder.path(), "counting");
    EXPECT_NE(replies_of(replay, {chat("q")})[0].error.find("too busy"), std::string::npos);
  }
  EXPECT_EQ(Record(folder.path()).size(), 1u);
}

TEST(Recording, TheReplyOfNowIsTheOneOfLater) {
  TemporaryFolder folder;
  auto inner = std::make_unique<CountingSource>();
  inner->before = [](const std::string&, Reply& reply) { reply.text = "cut \xE2\x82"; };
  Recording source(std::move(inner), folder.path());
  const std::string now = replies_of(source, {chat("q")})[0].text;
  Replay replay(folder.path(), "counting");
  EXPECT_EQ(replies_of(replay, {chat("q")})[0].text, now);
}

TEST(Replay, AnswersWhatIsRecordedAndSaysWhatIsNot) {
  TemporaryFolder folder;
  {
    Recording source(std::make_unique<CountingSource>(), folder.path());
    Request scored = chat("s");
    scored.choices = {"x", "y"};
    replies_of(source, {chat("q"), scored});
  }
  Replay replay(folder.path(), "counting");
  EXPECT_TRUE(replay.scores());
  EXPECT_NE(replay.name().find("counting"), std::string::npos);
  Request scored = chat("s");
  scored.choices = {"x", "y"};
  const auto replies = replies_of(replay, {chat("q"), chat("unknown"), scored});
  EXPECT_EQ(replies[0].text, "echo of q");
  EXPECT_TRUE(replies[0].recorded);
  EXPECT_EQ(replies[1].finish, Finish::failed);
  EXPECT_NE(replies[1].error.find(folder.path()), std::string::npos) << replies[1].error;
  EXPECT_EQ(replies[2].choice_log_probabilities, (std::vector<double>{-1.5, -1.5}));
  Replay other(folder.path(), "another model");
  EXPECT_EQ(replies_of(other, {chat("q")})[0].finish, Finish::failed);
  EXPECT_EQ(error_of([&] { Replay(folder.path("none"), "m"); })->kind(), ErrorKind::input);
}

}  // namespace
}  // namespace straq::language
