#include "core/hash.h"
#include "core/json/json.h"
#include "core/rng.h"
#include "core/utf8.h"
#include "language/source.h"

namespace straq::language {
namespace {

// A text as JSON that no other text has: dump_json makes the same character of all bytes that are
// no UTF-8.
nlohmann::json exact_text(const std::string& text) {
  if (!find_invalid_utf8(text)) return text;
  return {{"sha256", sha256_hex(text)}};
}

nlohmann::json exact_texts(const std::vector<std::string>& texts) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& text : texts) list.push_back(exact_text(text));
  return list;
}

}  // namespace

// Recorded replies are found by this key and may have cost money: what is in here stays as it is. A
// new field goes in where it is not at its default only.
std::string key_of(const std::string& model, const Request& request) {
  nlohmann::json j;
  j["format"] = 1;
  j["model"] = exact_text(model);
  if (request.messages.empty()) {
    j["prompt"] = exact_text(request.prompt);
  } else {
    nlohmann::json messages = nlohmann::json::array();
    for (const auto& m : request.messages) {
      messages.push_back(nlohmann::json::array({exact_text(m.role), exact_text(m.content)}));
    }
    j["messages"] = std::move(messages);
  }
  if (!request.choices.empty()) j["choices"] = exact_texts(request.choices);
  const Sampling& s = request.sampling;
  nlohmann::json sampling;
  sampling["max_tokens"] = s.max_tokens;
  sampling["repetition_penalty"] = s.repetition_penalty;
  sampling["temperature"] = s.temperature + 0.0;  // -0 is 0
  sampling["top_k"] = s.top_k;
  sampling["top_p"] = s.top_p;
  sampling["min_p"] = s.min_p + 0.0;
  sampling["stop"] = exact_texts(s.stop);
  sampling["seed"] = s.seed;
  j["sampling"] = std::move(sampling);
  j["sample"] = request.sample;
  return sha256_hex(dump_json(j));
}

std::int64_t seed_of(const Request& request) {
  CounterRng rng(request.sampling.seed, "language.sample",
                 static_cast<std::uint64_t>(request.sample));
  return static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 31));
}

}  // namespace straq::language
