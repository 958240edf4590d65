// How likely the assistant is to say each of some texts, asked of a server that gives logarithms of
// probabilities (`scores` of a server's config).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "language/completion.h"
#include "language/source.h"

namespace straq::language {

enum class Scores {
  none,
  // One request: the most probable first tokens (20 of a chat, 5 of a text) with their logarithms.
  // Serves choices that are one token each.
  top_logprobs,
  // One request a choice: prompt and choice are sent together and come back with the logarithms of
  // all their tokens. Serves texts to be gone on with (`prompt`), not chats.
  echo,
};

// The requests that one request with choices becomes: one, or one a choice.
std::size_t scoring_parts(Scores scores, const Request& request);
nlohmann::ordered_json scoring_body(Scores scores, const std::string& model, const Request& request,
                                    std::size_t part, const std::string& limit_key);

// Fills in reply.choice_log_probabilities (of as many items as there are choices) what the answer
// to `part` says. Returns why it says nothing, in words; empty: all went well.
std::string read_scores(Scores scores, const Request& request, std::size_t part,
                        const CompletionRead& read, std::vector<double>& log_probabilities);

}  // namespace straq::language
