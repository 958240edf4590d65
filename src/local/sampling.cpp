#include "local/sampling.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace straq::local {
namespace {

struct Candidate {
  text::TokenId token;
  double weight;  // exp of its logit's distance to the greatest
};

// The most probable first; of equal ones the smaller id, so that the order is one.
bool before(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

// How many of the sorted candidates top-p and min-p leave.
std::size_t kept(const std::vector<Candidate>& sorted, const language::Sampling& sampling) {
  double total = 0;
  for (const auto& c : sorted) total += c.weight;
  std::size_t count = sorted.size();
  if (sampling.top_p < 1) {
    double sum = 0;
    count = 0;
    while (count < sorted.size() && sum < sampling.top_p * total) sum += sorted[count++].weight;
  }
  while (count > 1 && sorted[count - 1].weight < sampling.min_p * sorted[0].weight) --count;
  return count;
}

}  // namespace

text::TokenId sample(std::span<float> logits, const language::Sampling& sampling,
                     const TokenCounts& seen, CounterRng& rng) {
  if (sampling.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(sampling.repetition_penalty);
    for (const auto& [token, count] : seen) {
      auto& x = logits[static_cast<std::size_t>(token)];
      x = x > 0 ? x / penalty : x * penalty;
    }
  }
  const auto top = std::max_element(logits.begin(), logits.end());
  if (top == logits.end() || !std::isfinite(*top)) {
    fail_runtime("the model gives no finite logit", "its weights are damaged");
  }
  if (sampling.temperature == 0) return static_cast<text::TokenId>(top - logits.begin());
  // What is e^-40 below the greatest is never drawn in practice and needs no place in the order.
  constexpr double negligible = 40;
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double distance = (static_cast<double>(logits[i]) - *top) / sampling.temperature;
    if (distance > -negligible) {
      candidates.push_back({static_cast<text::TokenId>(i), std::exp(distance)});
    }
  }
  if (sampling.top_k > 0 || sampling.top_p < 1 || sampling.min_p > 0) {
    std::sort(candidates.begin(), candidates.end(), before);
    if (sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < candidates.size()) {
      candidates.resize(static_cast<std::size_t>(sampling.top_k));
    }
    candidates.resize(kept(candidates, sampling));
  }
  double total = 0;
  for (const auto& c : candidates) total += c.weight;
  double point = rng.uniform() * total;
  for (const auto& c : candidates) {
    if (point < c.weight) return c.token;
    point -= c.weight;
  }
  return candidates.back().token;  // rounding
}

double log_probability(std::span<const float> logits, text::TokenId token) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - top);
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - top - std::log(sum);
}

}  // namespace straq::local
