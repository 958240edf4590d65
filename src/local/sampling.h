// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "core/rng.h"
#include "language/source.h"
#include "text/token_id.h"

namespace straq::local {

// How often each token stands in prompt and reply, for the repetition penalty.
using TokenCounts = std::unordered_map<text::TokenId, std::int64_t>;

// The next token by the rules of `sampling`, in its order: the penalty divides the logits of tokens
// seen before when they are positive and multiplies them when not (Keskar et al. 2019);
// temperature; top-k, top-p over what is left, min-p against the most probable. `logits` [vocab]
// are changed. Temperature 0 takes the first of the greatest and draws nothing from `rng`;
// otherwise one number is drawn. Throws Error(failure) where no logit is finite.
text::TokenId sample(std::span<float> logits, const language::Sampling& sampling,
                     const TokenCounts& seen, CounterRng& rng);

// log softmax(logits)[token], in fp64.
double log_probability(std::span<const float> logits, text::TokenId token);

}  // namespace straq::local
