// Many texts written, or scored, by one local model at once. Requests are put in order by what
// their prompts begin with, so that a common beginning is read once and each request forks where it
// goes its own way; as texts end others enter, and the tokens of new prompts ride along with those
// that are being written. What comes out for a request does not depend on the others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "language/source.h"
#include "model/inference/inference_model.h"
#include "text/token_id.h"

namespace straq::local {

struct GenerationRequest {
  std::vector<text::TokenId> prompt;      // at least one token
  language::Sampling sampling;            // `stop` is not looked at here: `ended` below is
  std::int64_t sample = 0;                // which of several: another stream of random numbers
  std::vector<text::TokenId> end_tokens;  // writing ends before one of these
  // Not empty: nothing is written, the probability of each after the prompt is given.
  std::vector<std::vector<text::TokenId>> choices;
};

struct Generation {
  std::vector<text::TokenId> tokens;  // without the end token
  bool ended = false;                 // by an end token or by `ended`, not by max_tokens
  std::vector<double> choice_log_probabilities;
  std::int64_t prompt_computed = 0;  // prompt tokens that no other request had computed
  double seconds = 0;                // since its prompt was begun
  std::string error;                 // why nothing was written
};

struct GenerationLimits {
  std::int64_t cache_bytes = std::int64_t{2} << 30;
  std::int64_t pass_tokens = 512;  // of one forward pass, about
  std::int64_t running = 128;      // texts that are written at once, at most
};

// What a work consisted of.
struct GenerationTotals {
  std::int64_t passes = 0;
  std::int64_t prompt_tokens = 0;    // of all prompts
  std::int64_t prompt_computed = 0;  // of them those that went through the model
  std::int64_t new_tokens = 0;
  double forward_seconds = 0, logits_seconds = 0, sample_seconds = 0;
  std::int64_t cache_pages = 0;  // in use at once, at most

  GenerationTotals& operator+=(const GenerationTotals& other);
};

struct GenerationCalls {
  // After each token of a request: true ends it there (a stop string is complete). May be empty.
  std::function<bool(std::size_t index, const std::vector<text::TokenId>& tokens)> ended;
  // Once for each request, as it is finished, with its index.
  std::function<void(std::size_t index, Generation generation)> done;
};

// Answers all requests. One that cannot be answered (too long for the model or for the cache, a
// token outside the vocabulary, an empty prompt) has an error, the others go on. On a CPU a
// request's answer has the same bits in any company and with any limits. Throws Error(failure)
// where the model gives no finite logit.
GenerationTotals generate(const model::InferenceModel& model,
                          const std::vector<GenerationRequest>& requests,
                          const GenerationLimits& limits, const GenerationCalls& calls);

}  // namespace straq::local
