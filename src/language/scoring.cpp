#include "language/scoring.h"

#include <cmath>
#include <optional>

namespace straq::language {
namespace {

using Json = nlohmann::ordered_json;

// The most that OpenAI's API takes.
constexpr int kTopOfChat = 20;
constexpr int kTopOfText = 5;

std::string quoted_choice(const std::string& choice) {
  return "\"" + excerpt(choice, 40) + "\"";
}

std::optional<double> log_probability(const Json& value) {
  if (!value.is_number()) return {};
  const double x = value.get<double>();
  // A little above 0 is rounding.
  return std::isfinite(x) && x < 0.01 ? std::optional(x) : std::nullopt;
}

// {token: logarithm} of the first token, whichever API it comes from; false where there is none.
bool top_tokens(const Json& logprobs, bool chat, std::vector<std::pair<std::string, double>>& out) {
  if (!logprobs.is_object()) return false;
  const char* key = chat ? "content" : "top_logprobs";
  if (!logprobs.contains(key) || !logprobs[key].is_array() || logprobs[key].empty()) return false;
  const Json& first = logprobs[key][0];
  if (!first.is_object()) return false;
  if (!chat) {
    for (const auto& [token, value] : first.items()) {
      if (const auto x = log_probability(value)) out.emplace_back(token, *x);
    }
    return true;
  }
  if (!first.contains("top_logprobs") || !first["top_logprobs"].is_array()) return false;
  for (const Json& top : first["top_logprobs"]) {
    if (!top.is_object() || !top.contains("token") || !top["token"].is_string()) return false;
    const auto x = log_probability(top.value("logprob", Json()));
    if (x) out.emplace_back(top["token"].get<std::string>(), *x);
  }
  return true;
}

std::string read_top(const Request& request, const Json& logprobs, std::vector<double>& out) {
  std::vector<std::pair<std::string, double>> top;
  if (!top_tokens(logprobs, is_chat(request), top)) {
    return "the server gives no top_logprobs: choices cannot be scored by it (`scores: none`)";
  }
  for (std::size_t i = 0; i < request.choices.size(); ++i) {
    bool found = false;
    for (const auto& [token, x] : top) {
      if (token != request.choices[i]) continue;
      out[i] = x;
      found = true;
      break;
    }
    if (!found) {
      return "the choice " + quoted_choice(request.choices[i]) + " is not among the " +
             std::to_string(top.size()) +
             " most probable first tokens: `scores: top_logprobs` serves choices that are one "
             "token each and not far-fetched";
    }
  }
  return {};
}

// The tokens of the choice are the last ones but for what was written behind it. They are found
// from the end, by their texts: servers count offsets with or without the token that begins a text.
std::string read_echo(const std::string& choice, const CompletionRead& read, double& out) {
  const Json& l = read.logprobs;
  const bool there = l.is_object() && l.contains("tokens") && l["tokens"].is_array() &&
                     l.contains("token_logprobs") && l["token_logprobs"].is_array() &&
                     l["tokens"].size() == l["token_logprobs"].size();
  if (!there) {
    return "the server gives no logprobs of an echoed prompt: choices cannot be scored by it "
           "(`scores: none`)";
  }
  const Json& tokens = l["tokens"];
  // One was asked for.
  const auto written = static_cast<std::size_t>(read.counted ? read.reply.reply_tokens : 1);
  if (written > 1 || written > tokens.size()) {
    return "the server wrote " + std::to_string(written) + " tokens where one was asked for";
  }
  std::string text;
  double sum = 0;
  std::size_t i = tokens.size() - written;
  while (text.size() < choice.size() && i > 0) {
    --i;
    if (!tokens[i].is_string()) return "a token of the echoed prompt is no text";
    text.insert(0, tokens[i].get<std::string>());
    const auto x = log_probability(l["token_logprobs"][i]);
    if (!x) return "a token of the choice " + quoted_choice(choice) + " has no probability";
    sum += *x;
  }
  if (text != choice) {
    return "the server's tokens at the choice " + quoted_choice(choice) + " read " +
           quoted_choice(text) +
           ": a token reaches over the end of the prompt, or stands for "
           "another text";
  }
  out = sum;
  return {};
}

}  // namespace

std::size_t scoring_parts(Scores scores, const Request& request) {
  return scores == Scores::echo && !request.choices.empty() ? request.choices.size() : 1;
}

Json scoring_body(Scores scores, const std::string& model, const Request& request, std::size_t part,
                  const std::string& limit_key) {
  Request asked = request;
  asked.sampling = Sampling{};
  asked.sampling.max_tokens = 1;  // some servers take 0 for "no limit"
  if (scores == Scores::echo) asked.prompt += request.choices[part];
  Json body = completion_body(model, asked, limit_key);
  if (scores == Scores::echo) {
    body["echo"] = true;
    body["logprobs"] = 1;
  } else if (is_chat(request)) {
    body["logprobs"] = true;
    body["top_logprobs"] = kTopOfChat;
  } else {
    body["logprobs"] = kTopOfText;
  }
  return body;
}

std::string read_scores(Scores scores, const Request& request, std::size_t part,
                        const CompletionRead& read, std::vector<double>& log_probabilities) {
  log_probabilities.resize(request.choices.size());
  if (scores == Scores::echo) {
    return read_echo(request.choices[part], read, log_probabilities[part]);
  }
  return read_top(request, read.logprobs, log_probabilities);
}

}  // namespace straq::language
