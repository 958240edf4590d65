// A client of the fault server, with waits that take milliseconds.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/log.h"
#include "language/server.h"
#include "tests/language/fault_server.h"
#include "tests/language/requests.h"
#include "tests/testing.h"

namespace straq::language {

using straq::testing::chat_reply;
using straq::testing::error_of;
using straq::testing::FaultServer;
using straq::testing::Script;
using straq::testing::SeenRequest;
using straq::testing::text_reply;

inline Script ok(const std::string& text = "fine") {
  Script s;
  s.body = chat_reply(text);
  return s;
}

inline Script status(int code, const std::string& body = R"({"error":{"message":"scripted"}})") {
  Script s;
  s.status = code;
  s.body = body;
  return s;
}

inline ServerConfig client_of(const std::string& url) {
  ServerConfig config;
  config.url = url;
  config.model = "asked-model";
  config.timeout_seconds = 5;
  return config;
}

// Waits are a hundredth of what they are.
inline std::unique_ptr<Source> fast(const ServerConfig& config) {
  ServerTuning tuning;
  tuning.time_scale = 0.01;
  tuning.body_limit = 1 << 20;
  return open_server(config, tuning);
}

inline std::vector<Request> chats(int count) {
  std::vector<Request> out;
  for (int i = 0; i < count; ++i) out.push_back(chat("q" + std::to_string(i)));
  return out;
}

// The last message of what was sent.
inline std::string words_of(const SeenRequest& seen) {
  return seen.json()["messages"].back()["content"];
}

// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value) {
      ::setenv(name, value, 1);
    } else {
      ::unsetenv(name);
    }
  }
  ~Variable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace straq::language
