// The client of a server that is well: what is sent, what comes back, how many at once.
#include "language/server.h"

#include <gtest/gtest.h>

#include "language/recording.h"
#include "tests/language/server_fixture.h"

namespace straq::language {
namespace {

TEST(Server, AnswersEveryRequestWithItsReply) {
  FaultServer server([](const SeenRequest& seen) { return ok("to " + words_of(seen)); });
  auto source = fast(client_of(server.url() + "/"));
  EXPECT_EQ(source->name(), "asked-model at " + server.url());
  EXPECT_EQ(source->model(), "asked-model");
  EXPECT_FALSE(source->scores());
  const auto replies = replies_of(*source, chats(30));
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(replies[i].text, "to q" + std::to_string(i));
    EXPECT_EQ(replies[i].finish, Finish::stop);
    EXPECT_EQ(replies[i].model, "served-model");
    EXPECT_EQ(replies[i].prompt_tokens, 11);
    EXPECT_EQ(replies[i].reply_tokens, 7);
    EXPECT_EQ(replies[i].attempts, 1);
    EXPECT_GT(replies[i].seconds, 0);
    EXPECT_FALSE(replies[i].recorded);
  }
  EXPECT_EQ(server.count(), 30u);
  const SeenRequest seen = server.seen()[0];
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/chat/completions");
  EXPECT_EQ(seen.headers.at("content-type"), "application/json");
  EXPECT_EQ(seen.headers.count("authorization"), 0u) << "this host's server needs no key";
  EXPECT_EQ(seen.json()["model"], "asked-model");
}

TEST(Server, AsksSeveralAtOnceOverConnectionsThatAreKept) {
  FaultServer server([](const SeenRequest&) {
    Script s = ok();
    s.delay = 0.02;
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.concurrency = 4;
  auto source = fast(config);
  replies_of(*source, chats(20));
  replies_of(*source, chats(4));
  EXPECT_EQ(server.most_at_once(), 4);
  EXPECT_LE(server.connections(), 4) << "of 24 requests";
}

TEST(Server, NoRequestsAreNoWork) {
  FaultServer server([](const SeenRequest&) { return ok(); });
  EXPECT_TRUE(replies_of(*fast(client_of(server.url())), {}).empty());
  EXPECT_EQ(server.count(), 0u);
}

TEST(Server, ALengthCutReplyIsAReply) {
  FaultServer server([](const SeenRequest&) {
    Script s;
    s.body = chat_reply("I see that", "length");
    return s;
  });
  const auto replies = replies_of(*fast(client_of(server.url())), chats(1));
  EXPECT_EQ(replies[0].finish, Finish::length);
  EXPECT_EQ(replies[0].text, "I see that");
}

TEST(Server, SamplesOfOneRequestHaveSeedsOfTheirOwn) {
  FaultServer server([](const SeenRequest&) { return ok(); });
  auto requests = chats(2);
  requests[1] = requests[0];
  for (auto& r : requests) r.sampling.temperature = 0.8;
  requests[1].sample = 1;
  ServerConfig config = client_of(server.url());
  config.token_limit = TokenLimit::max_completion_tokens;
  config.concurrency = 1;
  replies_of(*fast(config), requests);
  const auto seen = server.seen();
  EXPECT_EQ(seen[0].json()["seed"], seed_of(requests[0]));
  EXPECT_EQ(seen[1].json()["seed"], seed_of(requests[1]));
  EXPECT_NE(seen[0].json()["seed"], seen[1].json()["seed"]);
  EXPECT_EQ(seen[0].json()["max_completion_tokens"], 256);
}

TEST(Server, TextsGoToTheOtherEndpoint) {
  FaultServer server([](const SeenRequest&) {
    Script s;
    s.body = text_reply(" upon a time");
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.api = Api::completions;
  const auto replies = replies_of(*fast(config), {text_request("Once")});
  EXPECT_EQ(replies[0].text, " upon a time");
  EXPECT_EQ(server.seen()[0].path, "/v1/completions");
  EXPECT_EQ(server.seen()[0].json()["prompt"], "Once");
}

TEST(Server, ScoresChoicesByEchoOneByOne) {
  FaultServer server([](const SeenRequest& seen) {
    const std::string prompt = seen.json()["prompt"];
    const bool yes = prompt == "Is it? Yes";
    Script s;
    s.body = text_reply(prompt + "!", {{"tokens", {"Is it?", yes ? " Yes" : " No", "!"}},
                                       {"token_logprobs", {nullptr, yes ? -0.25 : -1.5, -2}}});
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.api = Api::completions;
  config.scores = Scores::echo;
  Request r = text_request("Is it?");
  r.choices = {" Yes", " No"};
  auto source = fast(config);
  EXPECT_TRUE(source->scores());
  const auto replies = replies_of(*source, {r});
  EXPECT_EQ(replies[0].choice_log_probabilities, (std::vector<double>{-0.25, -1.5}));
  EXPECT_EQ(replies[0].attempts, 2);
  EXPECT_EQ(replies[0].prompt_tokens, 6);
  EXPECT_EQ(replies[0].finish, Finish::stop);
  EXPECT_EQ(replies[0].text, "");
  // One choice that cannot be scored is the whole reply's failure.
  r.choices = {" Yes", " Never"};
  EXPECT_EQ(replies_of(*source, {r})[0].finish, Finish::failed);
}

TEST(Server, ScoresOneTokenChoicesOfAChat) {
  FaultServer server([](const SeenRequest& seen) {
    EXPECT_EQ(seen.json()["logprobs"], true);
    EXPECT_EQ(seen.json()["top_logprobs"], 20);
    EXPECT_EQ(seen.json()["max_tokens"], 1);
    auto body = nlohmann::json::parse(chat_reply("A", "length"));
    body["choices"][0]["logprobs"]["content"] = {
        {{"token", "A"},
         {"top_logprobs",
          {{{"token", "A"}, {"logprob", -0.5}}, {{"token", "B"}, {"logprob", -1.0}}}}}};
    Script s;
    s.body = body.dump();
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.scores = Scores::top_logprobs;
  auto requests = chats(2);
  requests[0].choices = {"B", "A"};
  requests[1].choices = {"A", "C"};
  const auto replies = replies_of(*fast(config), requests);
  EXPECT_EQ(replies[0].choice_log_probabilities, (std::vector<double>{-1.0, -0.5}));
  EXPECT_EQ(replies[1].finish, Finish::failed);
  EXPECT_TRUE(replies[1].choice_log_probabilities.empty());
  EXPECT_NE(replies[1].error.find("\"C\" is not among"), std::string::npos) << replies[1].error;
}

TEST(Server, RequestsThatCannotBeAskedAreRefusedBeforeAnyIsSent) {
  FaultServer server([](const SeenRequest&) { return ok(); });
  Request scored = chat("a");
  scored.choices = {"x"};
  auto source = fast(client_of(server.url()));
  for (const Request& bad : {Request{}, text_request("a"), scored}) {
    const auto e = error_of([&] { source->answer({chat("a"), bad}, [](std::size_t, Reply) {}); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find("request 1 to asked-model"), std::string::npos)
        << e->what();
  }
  EXPECT_EQ(server.count(), 0u);
}

TEST(Server, WhatTheCallerThrowsEndsTheCallAndNotTheSource) {
  FaultServer server([](const SeenRequest& seen) {
    Script s = ok(words_of(seen));
    s.delay = 0.01;
    return s;
  });
  auto source = fast(client_of(server.url()));
  EXPECT_THROW(
      source->answer(chats(20), [](std::size_t, Reply) { throw std::runtime_error("full disk"); }),
      std::runtime_error);
  // Nothing of the call before comes back.
  const auto replies = replies_of(*source, {chat("next")});
  EXPECT_EQ(replies[0].text, "next");
}

TEST(Server, AnInterruptedJobGoesOnWhereItWas) {
  straq::testing::TemporaryFolder folder;
  FaultServer server([](const SeenRequest& seen) { return ok("to " + words_of(seen)); });
  ServerConfig config = client_of(server.url());
  config.concurrency = 1;
  int taken = 0;
  EXPECT_THROW(Recording(fast(config), folder.path())
                   .answer(chats(10),
                           [&](std::size_t, Reply) {
                             if (++taken == 4) throw std::runtime_error("killed");
                           }),
               std::runtime_error);
  // Another host, another port: the replies count there, too.
  FaultServer other([](const SeenRequest& seen) { return ok("to " + words_of(seen)); });
  config.url = other.url();
  Recording again(fast(config), folder.path());
  const auto replies = replies_of(again, chats(10));
  EXPECT_EQ(other.count(), 6u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(replies[i].text, "to q" + std::to_string(i));
}

}  // namespace
}  // namespace straq::language
