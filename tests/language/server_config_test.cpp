// The section of a server: what it takes, whom it trusts with a key, and that the key shows
// nowhere.
#include <gtest/gtest.h>

#include "config/value.h"
#include "core/files/files.h"
#include "language/recording.h"
#include "tests/language/server_fixture.h"

namespace straq::language {
namespace {

constexpr const char* kSecret = "sk-proj-Zq81_secret.7";

TEST(ServerConfig, IsReadStrictlyAndDumpedWithoutAKey) {
  Variable key("STRAQ_TEST_KEY", kSecret);
  const auto tree = config::parse_yaml(
      "url: http://127.0.0.1:8080/v1\nmodel: m\nkey_env: STRAQ_TEST_KEY\napi: completions\n"
      "scores: echo\nconcurrency: 3\nretries: 0\nmax_failure_rate: 0.5\n",
      "a.yaml");
  const auto config = config::read<ServerConfig>(tree);
  EXPECT_EQ(config.api, Api::completions);
  EXPECT_EQ(config.scores, Scores::echo);
  EXPECT_EQ(config.concurrency, 3);
  EXPECT_EQ(config.retries, 0);
  EXPECT_EQ(config.max_failure_rate, 0.5);
  const std::string dump = config::to_yaml(config::dump(config));
  EXPECT_EQ(dump.find(kSecret), std::string::npos);
  EXPECT_NE(dump.find("STRAQ_TEST_KEY"), std::string::npos);
  for (const char* bad : {"concurency: 2\n", "concurrency: 0\n", "timeout_seconds: 0\n",
                          "retries: -1\n", "max_failure_rate: 2\n", "api: responses\n"}) {
    const auto e = error_of([&] { config::read<ServerConfig>(config::parse_yaml(bad, "a.yaml")); });
    EXPECT_NE(e->full().find("a.yaml:1"), std::string::npos) << e->full();
  }
}

TEST(ServerConfig, WhatCannotBeOpenedIsSaidWithoutItsSecrets) {
  struct Case {
    const char* url;
    const char* words;
  };
  for (const Case& c :
       {Case{"", "`url`"}, Case{"localhost:8080/v1", "http://"}, Case{"ftp://host/v1", "http://"},
        Case{"file:///etc/passwd", "http://"}, Case{"http://", "http://"},
        Case{"https://me:sk-proj-Zq81_secret.7@host/v1", "password"},
        Case{"sk-proj-Zq81_secret.7@host", "`url`"},
        Case{"https://host/v1?key=sk-proj-Zq81_secret.7", "?"},
        Case{"https://host/v1/chat/completions", "/chat/completions"}}) {
    const auto e = error_of([&] { open_server(client_of(c.url)); });
    ASSERT_TRUE(e) << c.url;
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(e->full().find(c.words), std::string::npos) << e->full();
    EXPECT_EQ(e->full().find(kSecret), std::string::npos) << e->full();
    EXPECT_FALSE(e->hint().empty());
  }
  ServerConfig config = client_of("http://127.0.0.1:1/v1");
  config.model = "";
  EXPECT_NE(error_of([&] { open_server(config); })->full().find("`model`"), std::string::npos);
  config.model = "m";
  config.scores = Scores::echo;
  EXPECT_NE(error_of([&] { open_server(config); })->full().find("`api: completions`"),
            std::string::npos);
  config.scores = Scores::none;
  config.proxy = "http://me:sk-proj-Zq81_secret.7@proxy:1";
  const auto e = error_of([&] { open_server(config); });
  EXPECT_NE(e->full().find("`proxy`"), std::string::npos);
  EXPECT_EQ(e->full().find(kSecret), std::string::npos);
}

TEST(ServerKey, GoesToWhomItIsMeantFor) {
  FaultServer server([](const SeenRequest&) { return ok(); });
  Variable standard("OPENAI_API_KEY", "sk-standard-key");
  Variable own("STRAQ_TEST_KEY", " sk-own-key\n");
  ServerConfig config = client_of(server.url());
  const auto sent = [&] {
    replies_of(*fast(config), chats(1));
    const auto seen = server.seen();
    const auto& headers = seen.back().headers;
    return headers.count("authorization") ? headers.at("authorization") : std::string();
  };
  EXPECT_EQ(sent(), "") << "this host's server gets no key that it was not named";
  config.key_env = "STRAQ_TEST_KEY";
  EXPECT_EQ(sent(), "Bearer sk-own-key");
  config.key_env = "OPENAI_API_KEY";
  EXPECT_EQ(sent(), "Bearer sk-standard-key");
  config.key_env = "none";
  EXPECT_EQ(sent(), "");

  // Over plain http a key leaves this host only when it is named, and that is said.
  config = client_of("http://straq.invalid/v1");
  ::testing::internal::CaptureStderr();
  open_server(config);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  config.key_env = "STRAQ_TEST_KEY";
  ::testing::internal::CaptureStderr();
  open_server(config);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("in the clear"), std::string::npos);
}

TEST(ServerKey, ThatIsNamedMustBeThereAndBeOne) {
  ServerConfig config = client_of("http://127.0.0.1:1/v1");
  config.key_env = "STRAQ_TEST_KEY";
  for (const char* value : {static_cast<const char*>(nullptr), "", "  ", "sk-proj-Zq81_secret.7 x",
                            "sk-proj-Zq81_secret.7\r\nHost: evil"}) {
    Variable key("STRAQ_TEST_KEY", value);
    const auto e = error_of([&] { open_server(config); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(e->full().find("STRAQ_TEST_KEY"), std::string::npos) << e->full();
    EXPECT_EQ(e->full().find(kSecret), std::string::npos) << e->full();
  }
}

// A server that repeats the key in everything it says, at every place, also where a message is cut.
TEST(ServerKey, ShowsNowhere) {
  straq::testing::TemporaryFolder folder;
  std::string all;
  Variable key("STRAQ_TEST_KEY", kSecret);
  log::setup(log::Level::debug, log::Format::text);
  ::testing::internal::CaptureStderr();
  for (const int code : {200, 302, 400, 401, 403, 404, 429, 500}) {
    for (const std::size_t before : {0, 150, 190, 199}) {
      const std::string words = std::string(before, '.') + kSecret + " and " + kSecret;
      for (const std::string& said :
           {words, nlohmann::json{{"error", {{"message", words}, {"code", words}}}}.dump()}) {
        FaultServer server([&](const SeenRequest& seen) {
          EXPECT_EQ(seen.headers.at("authorization"), std::string("Bearer ") + kSecret);
          Script s = status(code, said);
          s.headers.emplace_back("Location", "http://" + words);
          s.headers.emplace_back("Retry-After", words);
          return s;
        });
        ServerConfig config = client_of(server.url());
        config.key_env = "STRAQ_TEST_KEY";
        config.retries = 1;
        Recording source(fast(config), folder.path());
        all += source.name() + source.model();
        try {
          for (const Reply& r : replies_of(source, chats(1))) all += r.error + r.text + r.model;
        } catch (const Error& e) {
          all += e.full();
        }
      }
    }
  }
  all += ::testing::internal::GetCapturedStderr();
  log::setup(log::Level::info, log::Format::text);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    all += read_file(entry.path().string());
  }
  EXPECT_NE(all.find("[key]"), std::string::npos) << "the server's words were quoted";
  // Nor a part of it that says much.
  for (std::size_t size : {std::string(kSecret).size(), std::size_t{6}}) {
    const std::string part = std::string(kSecret).substr(0, size);
    EXPECT_EQ(all.find(part), std::string::npos) << all.substr(all.find(part) - 100, 200);
  }
}

}  // namespace
}  // namespace straq::language
