#include "language/batch_body.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "language/completion.h"

namespace straq::language {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBatchHint = "docs/language.md lists the keys of a request's body";
constexpr std::int64_t kTextTokens = 16;  // the API's own where a text's request gives none

// Read below.
constexpr std::array<std::string_view, 14> kRead = {
    "model",       "messages", "prompt",     "max_tokens",     "max_completion_tokens",
    "temperature", "top_p",    "top_k",      "min_p",          "repetition_penalty",
    "stop",        "seed",     "logit_bias", "response_format"};
// Of the sender's bookkeeping: no reply depends on them.
constexpr std::array<std::string_view, 10> kIdle = {"user",
                                                    "metadata",
                                                    "store",
                                                    "service_tier",
                                                    "safety_identifier",
                                                    "prompt_cache_key",
                                                    "prompt_cache_retention",
                                                    "request_id",
                                                    "priority",
                                                    "stream_options"};

struct Neutral {
  std::string_view key;
  Json value;
};
// Built only at the value at which they do nothing.
const std::vector<Neutral>& neutral_values() {
  static const std::vector<Neutral> values = {
      {"n", 1},
      {"best_of", 1},
      {"stream", false},
      {"echo", false},
      {"logprobs", false},
      {"top_logprobs", 0},
      {"presence_penalty", 0},
      {"frequency_penalty", 0},
      {"tools", Json::array()},
      {"functions", Json::array()},
      {"tool_choice", "none"},
      {"parallel_tool_calls", true},
      {"logit_bias", Json::object()},
      {"response_format", Json{{"type", "text"}}},
      {"modalities", Json::array({"text"})},
      {"suffix", ""},
  };
  return values;
}

template <class List>
bool is_in(const List& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

// Throws for keys that would change the reply and are not built.
void refuse_foreign_keys(const Json& body, const JsonPlace& place) {
  for (const auto& [key, value] : body.items()) {
    if (value.is_null() || is_in(kIdle, key)) continue;
    const auto& neutral = neutral_values();
    const auto it = std::find_if(neutral.begin(), neutral.end(),
                                 [&key = key](const Neutral& n) { return n.key == key; });
    if (it != neutral.end()) {
      if (value == it->value) continue;
      fail_input(place.text() + ": \"" + key + "\" is " + excerpt(dump_json(value), 60) +
                     "; only " + dump_json(it->value) + " is built here",
                 "take it out, or send the file to a server that knows it");
    }
    if (!is_in(kRead, key)) {
      fail_input(place.text() + ": the key \"" + excerpt(key, 60) +
                     "\" is not known here, and the reply may depend on it",
                 kBatchHint);
    }
  }
}

std::vector<Message> read_messages(const Json& list, const JsonPlace& place) {
  if (!list.is_array() || list.empty()) place.fail("\"messages\" must be a list that is not empty");
  std::vector<Message> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonPlace here = place.below("messages[" + std::to_string(i) + "]");
    JsonFields f(list[i], here);
    Message message;
    f("role", message.role);
    if (message.role == "developer") message.role = "system";  // its new name in OpenAI's API
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      f.fail("role", "is \"" + excerpt(message.role, 60) +
                         "\", expected one of: system, user, assistant, developer");
    }
    std::string wrong;
    if (!read_content(f.at("content"), message.content, wrong)) {
      f.fail("content", "is " + excerpt(wrong) + "; only text is built here");
    }
    for (const auto& [key, value] : list[i].items()) {
      if (key != "role" && key != "content" && !value.is_null()) {
        here.fail("the key \"" + excerpt(key, 60) +
                  "\" is not known here, and the reply may depend on it");
      }
    }
    out.push_back(std::move(message));
  }
  return out;
}

std::string read_prompt(const Json& prompt, const JsonFields& f) {
  const Json& text = prompt.is_array() && prompt.size() == 1 ? prompt[0] : prompt;
  if (text.is_string() && !text.get_ref<const std::string&>().empty()) {
    return text.get<std::string>();
  }
  f.fail("prompt",
         "must be one text that is not empty: lists of prompts and of token ids are not "
         "built here");
}

std::vector<std::string> read_stop(const Json& stop, const JsonFields& f) {
  std::vector<std::string> out;
  if (stop.is_string()) {
    out.push_back(stop.get<std::string>());
  } else if (stop.is_array()) {
    for (const Json& text : stop) {
      if (!text.is_string()) f.fail("stop", "must be a text or a list of texts");
      out.push_back(text.get<std::string>());
    }
  } else {
    f.fail("stop", "must be a text or a list of texts");
  }
  if (std::find(out.begin(), out.end(), "") != out.end()) f.fail("stop", "holds an empty text");
  return out;
}

// Throws unless `holds`, in the words of a limit.
void require(const JsonFields& f, const char* key, bool holds, const char* words) {
  if (!holds) f.fail(key, std::string("must be ") + words);
}

Sampling read_sampling(JsonFields& f, std::int64_t default_tokens) {
  Sampling s;
  s.max_tokens = default_tokens;
  s.temperature = 1;  // the API's
  f.maybe("max_tokens", s.max_tokens);
  const std::int64_t by_its_old_name = s.max_tokens;
  f.maybe("max_completion_tokens", s.max_tokens);
  if (f.has("max_tokens") && s.max_tokens != by_its_old_name) {
    f.fail("max_completion_tokens", "is another number than \"max_tokens\"");
  }
  f.maybe("temperature", s.temperature);
  f.maybe("top_p", s.top_p);
  if (f.has("top_k")) {
    f("top_k", s.top_k);
    if (s.top_k == -1) s.top_k = 0;  // vLLM's word for all
  }
  f.maybe("min_p", s.min_p);
  f.maybe("repetition_penalty", s.repetition_penalty);
  if (f.has("stop")) s.stop = read_stop(f.at("stop"), f);
  f.maybe("seed", s.seed);
  require(f, "max_tokens", s.max_tokens >= 1, "at least 1");
  require(f, "temperature", s.temperature >= 0, "at least 0");
  require(f, "top_p", s.top_p > 0 && s.top_p <= 1, "above 0 and at most 1");
  require(f, "top_k", s.top_k >= 0, "at least 0, or -1");
  require(f, "min_p", s.min_p >= 0 && s.min_p <= 1, "from 0 to 1");
  require(f, "repetition_penalty", s.repetition_penalty > 0, "above 0");
  return s;
}

}  // namespace

BatchRequest read_batch_request(const Json& line, const std::string& where,
                                std::int64_t chat_tokens) {
  const JsonPlace place(where, kBatchHint);
  JsonFields f(line, place);
  BatchRequest out;
  std::string method, url;
  f("custom_id", out.request.id);
  if (out.request.id.empty()) f.fail("custom_id", "is empty");
  f("method", method);
  if (method != "POST") f.fail("method", "is \"" + excerpt(method, 60) + "\", expected \"POST\"");
  f("url", url);
  const bool chat = url == "/v1/chat/completions";
  if (!chat && url != "/v1/completions") {
    f.fail("url", "is \"" + excerpt(url, 60) +
                      "\"; /v1/chat/completions and /v1/completions are built here");
  }
  const Json& body = f.at("body");
  const JsonPlace inside = place.below("body");
  JsonFields b(body, inside);
  refuse_foreign_keys(body, inside);
  b("model", out.model);
  const char* other = chat ? "prompt" : "messages";
  if (b.has(other)) b.fail(other, "does not belong to a request to " + url);
  if (chat) {
    out.request.messages = read_messages(b.at("messages"), inside);
  } else {
    out.request.prompt = read_prompt(b.at("prompt"), b);
  }
  out.request.sampling = read_sampling(b, chat ? chat_tokens : kTextTokens);
  return out;
}

}  // namespace straq::language
