// A language model behind OpenAI's HTTP API: OpenAI itself, vLLM, llama.cpp's server and others.
// The client asks several things at once, goes as fast as the server allows, asks again what a
// fault of the moment lost, and tells that apart from what no second try would mend
// (docs/language.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config/choices.h"
#include "config/fields.h"
#include "language/scoring.h"
#include "language/source.h"

namespace straq::language {

enum class Api { chat, completions };
enum class TokenLimit { max_tokens, max_completion_tokens };

inline constexpr std::initializer_list<config::Choice<Api>> kApis = {
    {"chat", Api::chat}, {"completions", Api::completions}};
inline constexpr std::initializer_list<config::Choice<Scores>> kScores = {
    {"none", Scores::none}, {"top_logprobs", Scores::top_logprobs}, {"echo", Scores::echo}};
inline constexpr std::initializer_list<config::Choice<TokenLimit>> kTokenLimits = {
    {"max_tokens", TokenLimit::max_tokens},
    {"max_completion_tokens", TokenLimit::max_completion_tokens}};

struct ServerConfig {
  std::string url;    // the base: http://127.0.0.1:8080/v1
  std::string model;  // as the server calls it
  // The environment variable that holds the key. Empty: OPENAI_API_KEY for an https server on
  // another host, where it is set, and no key for all others. "none": never one.
  std::string key_env;
  Api api = Api::chat;
  Scores scores = Scores::none;
  TokenLimit token_limit = TokenLimit::max_tokens;  // what a body calls the most tokens of a reply
  std::int64_t concurrency = 8;                     // requests under way, at most
  double timeout_seconds = 300;                     // of one attempt
  double connect_timeout_seconds = 5;
  std::int64_t retries = 5;              // attempts after the first
  double max_failure_rate = 0.2;         // of replies, once there are 20; more end the job
  double retry_after_cap_seconds = 120;  // a server that wants a longer wait gets none
  std::string proxy;                     // http://host:port; the environment's are not used

  void fields(config::Fields& f) {
    f("url", url);
    f("model", model);
    f("key_env", key_env);
    f.choice("api", api, kApis);
    f.choice("scores", scores, kScores);
    f.choice("token_limit", token_limit, kTokenLimits);
    f("concurrency", concurrency, config::between(1, 1024));
    f("timeout_seconds", timeout_seconds, config::above_to(0, 86400));
    f("connect_timeout_seconds", connect_timeout_seconds, config::above_to(0, 3600));
    f("retries", retries, config::between(0, 100));
    f("max_failure_rate", max_failure_rate, config::between(0, 1));
    f("retry_after_cap_seconds", retry_after_cap_seconds, config::between(0, 86400));
    f("proxy", proxy);
  }
};

// What tests change: seconds of waiting are multiplied by `time_scale`.
struct ServerTuning {
  double time_scale = 1;
  std::size_t body_limit = std::size_t{64} << 20;
};

// The server as a source; nothing is sent yet. Throws Error(input) for a URL that is none or
// carries a password, a model without a name, keys that exclude each other, and a key variable that
// is named and not set.
std::unique_ptr<Source> open_server(const ServerConfig& config, const ServerTuning& tuning = {});

}  // namespace straq::language
