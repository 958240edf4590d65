// A server that fails in every way that servers do: what passes is tried again, what does not is
// one reply's failure or the job's, and the words say which and why.
#include <gtest/gtest.h>

#include <atomic>
#include <ctime>

#include "core/environment.h"
#include "tests/language/server_fixture.h"

namespace straq::language {
namespace {

Script with_header(Script s, const std::string& name, const std::string& value) {
  s.headers.emplace_back(name, value);
  return s;
}

Script body(const std::string& text) {
  Script s;
  s.body = text;
  return s;
}

Script cut(std::size_t bytes) {
  Script s = ok();
  s.cut = bytes;
  return s;
}

Script dropped() {
  Script s;
  s.drop = true;
  return s;
}

std::string http_date(std::time_t at) {
  char text[64];
  std::tm parts{};
  gmtime_r(&at, &parts);
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

struct Passing {
  const char* name;
  Script script;
  const char* words;  // of the reply that it leaves when it does not pass
};

class PassingFaults : public ::testing::TestWithParam<Passing> {};

TEST_P(PassingFaults, AreTriedAgainAndInTheEndSaid) {
  // Twice, then well.
  FaultServer server(
      [](const SeenRequest& seen) { return seen.number < 2 ? GetParam().script : ok("at last"); });
  ServerConfig config = client_of(server.url());
  const Reply reply = replies_of(*fast(config), chats(1))[0];
  EXPECT_EQ(reply.text, "at last");
  EXPECT_EQ(reply.finish, Finish::stop);
  EXPECT_EQ(reply.attempts, 3);
  EXPECT_EQ(server.count(), 3u);

  // For ever.
  FaultServer broken([](const SeenRequest&) { return GetParam().script; });
  config.url = broken.url();
  config.retries = 2;
  const Reply failed = replies_of(*fast(config), chats(1))[0];
  EXPECT_EQ(failed.finish, Finish::failed);
  EXPECT_EQ(failed.text, "");
  EXPECT_EQ(failed.attempts, 3);
  EXPECT_EQ(broken.count(), 3u);
  EXPECT_NE(failed.error.find(GetParam().words), std::string::npos) << failed.error;
  EXPECT_NE(failed.error.find("attempt 3, the last"), std::string::npos) << failed.error;
}

INSTANTIATE_TEST_SUITE_P(
    All, PassingFaults,
    ::testing::Values(
        Passing{"Timeout408", status(408), "408: scripted"},
        Passing{"Conflict409", status(409), "409: scripted"},
        Passing{"TooMany", status(429), "429: scripted"},
        Passing{"TooManySeconds", with_header(status(429), "Retry-After", "1"), "429: scripted"},
        Passing{"TooManyMilliseconds", with_header(status(429), "retry-after-ms", "40"),
                "429: scripted"},
        Passing{"TooManyDate",
                with_header(status(429), "Retry-After", http_date(std::time(nullptr) + 3)),
                "429: scripted"},
        Passing{"Status500", status(500), "500: scripted"},
        Passing{"Status503Page", status(503, "<html>\n<h1>no backend</h1>"),
                "503: <html> <h1>no backend</h1>"},
        Passing{"MalformedJson", body("{\"choices\": [ {"), "{\"choices\": [ {"},
        Passing{"ProxyPage", body("<!DOCTYPE html><title>Sign in</title>"), "Sign in"},
        Passing{"WrongSchema", body(R"({"object":"list","data":[]})"), "no list of choices"},
        Passing{"EmptyChoices", body(R"({"choices":[]})"), "choices is empty"},
        Passing{"NullContent",
                body(R"({"choices":[{"message":{"content":null},"finish_reason":"stop"}]})"),
                "no text"},
        Passing{"ErrorIn200", body(R"({"error":{"message":"overloaded"}})"), "overloaded"},
        Passing{"Empty", body(""), "it is empty"},
        Passing{"Deep", body(std::string(100000, '[')), "nested"},
        Passing{"CutOff", cut(20), "bytes remaining"}, Passing{"Dropped", dropped(), ""}),
    [](const auto& info) { return std::string(info.param.name); });

struct Lasting {
  const char* name;
  Script script;
  const char* words;
};

class LastingFaults : public ::testing::TestWithParam<Lasting> {};

TEST_P(LastingFaults, FailOneRequestAtOnceAndNotTheOthers) {
  FaultServer server(
      [](const SeenRequest& seen) { return words_of(seen) == "q1" ? GetParam().script : ok(); });
  const auto replies = replies_of(*fast(client_of(server.url())), chats(4));
  EXPECT_EQ(server.count(), 4u) << "nothing is tried again";
  EXPECT_EQ(replies[1].finish, Finish::failed);
  EXPECT_EQ(replies[1].attempts, 1);
  EXPECT_NE(replies[1].error.find(GetParam().words), std::string::npos) << replies[1].error;
  for (const int i : {0, 2, 3}) EXPECT_EQ(replies[i].text, "fine");
}

INSTANTIATE_TEST_SUITE_P(
    All, LastingFaults,
    ::testing::Values(
        Lasting{"TooLong", status(400, R"({"error":{"message":"context length","type":"x"}})"),
                "400: context length"},
        Lasting{"NoSuchModel", status(404), "/v1"}, Lasting{"Unprocessable", status(422), "422"},
        Lasting{"Redirect",
                with_header(status(307, ""), "Location", "http://127.0.0.1:9/elsewhere"),
                "http://127.0.0.1:9/elsewhere"},
        Lasting{"WaitBeyondTheCap", with_header(status(429), "Retry-After", "3600"),
                "3600 s, which is more than the 120 s"},
        Lasting{"DateBeyondTheCap",
                with_header(status(503), "Retry-After", http_date(std::time(nullptr) + 5000)),
                "more than the 120 s of `retry_after_cap_seconds`"},
        Lasting{
            "Filtered",
            body(R"({"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]})"),
            "content_filter"},
        Lasting{"TooLarge", body(std::string(2 << 20, ' ')), "longer than 1 MiB"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ServerFaults, ASlowReplyIsATimeout) {
  FaultServer server([](const SeenRequest& seen) {
    Script s = ok("in time");
    s.delay = seen.number == 0 ? 5 : 0;
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.timeout_seconds = 0.2;
  EXPECT_EQ(replies_of(*fast(config), chats(1))[0].text, "in time");
  config.retries = 0;
  FaultServer slow([](const SeenRequest&) {
    Script s = ok();
    s.delay = 5;
    return s;
  });
  config.url = slow.url();
  const Reply reply = replies_of(*fast(config), chats(1))[0];
  EXPECT_EQ(reply.finish, Finish::failed);
  EXPECT_NE(reply.error.find("no reply within 0.2 s"), std::string::npos) << reply.error;
}

TEST(ServerFaults, TheServersWaitIsKept) {
  using Header = std::pair<const char*, const char*>;
  for (const auto& [name, value] :
       {Header{"Retry-After", "30"}, Header{"retry-after-ms", "30000"}}) {
    std::atomic<double> refused{0}, came{0};
    FaultServer server([&, name = name, value = value](const SeenRequest& seen) {
      (seen.number == 0 ? refused : came) = monotonic_seconds();
      return seen.number == 0 ? with_header(status(429), name, value) : ok();
    });
    replies_of(*fast(client_of(server.url())), chats(1));
    EXPECT_GE(came - refused, 0.29) << "30 s at a hundredth";  // a back-off alone: 5 ms
  }
}

TEST(ServerFaults, TooManyRequestsBecomeFewerAndWaitTogether) {
  std::atomic<double> last_refused{0}, next_came{0};
  FaultServer server([&](const SeenRequest& seen) {
    Script s = seen.number < 8 ? with_header(status(429), "Retry-After", "20") : ok();
    s.delay = 0.03;  // all eight are under way
    if (seen.number == 7) last_refused = monotonic_seconds();
    if (seen.number == 8) next_came = monotonic_seconds();
    return s;
  });
  ServerConfig config = client_of(server.url());
  config.concurrency = 8;
  auto source = fast(config);
  replies_of(*source, chats(11));
  EXPECT_EQ(server.most_at_once(), 8);
  EXPECT_EQ(server.count(), 19u) << "eight refusals and eleven replies";
  // Of the three that were never sent none pushes in: 20 s at a hundredth.
  EXPECT_GE(next_came - last_refused, 0.19);
}

TEST(ServerFaults, ConcurrencyFallsUnder429) {
  // A server that takes two at a time and refuses the others.
  std::atomic<int> inside{0}, refused{0};
  FaultServer server([&](const SeenRequest&) {
    if (++inside > 2) {
      --inside;
      ++refused;
      return with_header(status(429), "retry-after-ms", "100");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    --inside;
    return ok();
  });
  ServerConfig config = client_of(server.url());
  config.concurrency = 16;
  config.retries = 50;
  const auto replies = replies_of(*fast(config), chats(100));
  for (const auto& r : replies) EXPECT_EQ(r.finish, Finish::stop);
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 100) << "at 16 at once nearly every request would be refused many times";
}

TEST(ServerFaults, AWrongKeyStopsAtOnceAndNamesItsVariable) {
  for (const int code : {401, 403}) {
    FaultServer server([code](const SeenRequest&) { return status(code); });
    Variable key("STRAQ_TEST_KEY", "sk-secret-0123456789");
    ServerConfig config = client_of(server.url());
    config.key_env = "STRAQ_TEST_KEY";
    config.concurrency = 2;
    int replies = 0;
    const auto e =
        error_of([&] { fast(config)->answer(chats(50), [&](auto, auto) { ++replies; }); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::failure);
    EXPECT_NE(e->full().find("STRAQ_TEST_KEY"), std::string::npos) << e->full();
    EXPECT_NE(e->full().find(server.url()), std::string::npos) << e->full();
    EXPECT_EQ(replies, 0);
    EXPECT_LE(server.count(), 2u);
    // Without a key the advice is another one.
    config.key_env = "none";
    const auto without = error_of([&] { fast(config)->answer(chats(1), [](auto, auto) {}); });
    EXPECT_NE(without->full().find("none was sent"), std::string::npos) << without->full();
  }
}

TEST(ServerFaults, AnAccountWithoutMoneyStopsAtOnce) {
  FaultServer server([](const SeenRequest&) {
    return status(429, R"({"error":{"message":"You exceeded","code":"insufficient_quota"}})");
  });
  ServerConfig config = client_of(server.url());
  config.concurrency = 1;
  const auto e = error_of([&] { fast(config)->answer(chats(9), [](auto, auto) {}); });
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find("You exceeded"), std::string::npos) << e->what();
  EXPECT_EQ(server.count(), 1u);
}

std::string url_of_nobody() {
  return FaultServer([](const SeenRequest&) { return ok(); }).url();  // it is gone again
}

TEST(ServerFaults, AServerThatIsNotThereIsTheJobsFailure) {
  ServerConfig config = client_of(url_of_nobody());
  int replies = 0;
  const auto e = error_of([&] { fast(config)->answer(chats(30), [&](auto, auto) { ++replies; }); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find(config.url), std::string::npos) << e->what();
  EXPECT_NE(std::string(e->what()).find("attempt 6"), std::string::npos) << e->what();
  EXPECT_NE(e->hint().find("start the server"), std::string::npos);
  EXPECT_EQ(replies, 0);
}

TEST(ServerFaults, HttpsWhereThereIsNoneIsTheJobsFailure) {
  FaultServer server([](const SeenRequest&) { return ok(); });
  ServerConfig config = client_of("https" + server.url().substr(4));
  config.connect_timeout_seconds = 0.1;
  config.retries = 1;
  const auto e = error_of([&] { fast(config)->answer(chats(30), [](auto, auto) {}); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(e->hint().find("http or https"), std::string::npos) << e->full();
  EXPECT_EQ(server.count(), 0u);
}

TEST(ServerFaults, AServerThatGoesAwayIsTheJobsFailureAndRepliesBeforeStay) {
  std::vector<std::string> texts;
  auto server = std::make_unique<FaultServer>([](const SeenRequest&) { return ok(); });
  ServerConfig config = client_of(server->url());
  config.concurrency = 1;
  config.max_failure_rate = 1;
  auto source = fast(config);
  const auto e = error_of([&] {
    source->answer(chats(30), [&](std::size_t, Reply r) {
      texts.push_back(r.text);
      if (texts.size() == 25) server.reset();
    });
  });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find(config.url), std::string::npos) << e->what();
  EXPECT_GE(texts.size(), 25u);
  EXPECT_EQ(texts[24], "fine");
}

TEST(ServerFaults, MoreFailuresThanAreAllowedEndTheJob) {
  FaultServer server([](const SeenRequest& seen) {
    return std::stoi(words_of(seen).substr(1)) % 2 ? status(400) : ok();
  });
  ServerConfig config = client_of(server.url());
  config.concurrency = 3;
  int good = 0, failed = 0;
  auto source = fast(config);
  const auto count = [&](std::size_t, Reply r) { ++(r.finish == Finish::failed ? failed : good); };
  const auto e = error_of([&] { source->answer(chats(200), count); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find("max_failure_rate"), std::string::npos) << e->what();
  EXPECT_NE(std::string(e->what()).find("scripted"), std::string::npos) << e->what();
  EXPECT_GE(good + failed, 20) << "before, a rate says nothing";
  EXPECT_LE(good + failed, 24) << "20 and what was under way";
  EXPECT_EQ(static_cast<std::size_t>(good + failed), server.count()) << "what was paid is had";

  config.max_failure_rate = 0.6;
  EXPECT_EQ(replies_of(*fast(config), chats(60)).size(), 60u);
}

TEST(ServerFaults, NoMoreIsAskedOfAScoreOnceAPartHasFailed) {
  FaultServer server([](const SeenRequest&) { return status(400); });
  ServerConfig config = client_of(server.url());
  config.api = Api::completions;
  config.scores = Scores::echo;
  config.concurrency = 1;
  Request r = text_request("a");
  r.choices = {"b", "c", "d"};
  EXPECT_EQ(replies_of(*fast(config), {r})[0].finish, Finish::failed);
  EXPECT_EQ(server.count(), 1u);
}

}  // namespace
}  // namespace straq::language
