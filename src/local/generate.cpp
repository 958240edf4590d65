#include "local/generate.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "core/environment.h"
#include "local/sampling.h"

namespace straq::local {
namespace {

using model::Append;
using model::Cache;
using text::TokenId;

std::int64_t common_beginning(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return end - a.begin();
}

// A request that is in the cache.
struct Active {
  std::size_t request = 0;
  Cache::Sequence sequence = 0;
  std::int64_t read = 0;  // prompt tokens that are in the cache
  double begun = 0;       // by monotonic_seconds()
  std::optional<CounterRng> rng;
  TokenCounts seen;
  Generation out;
};

class Work {
 public:
  Work(const model::InferenceModel& model, const std::vector<GenerationRequest>& requests,
       const GenerationLimits& limits, const GenerationCalls& calls)
      : model_(model),
        requests_(requests),
        limits_(limits),
        calls_(calls),
        cache_(model.cache_shape(),
               std::max<std::int64_t>(
                   1, limits.cache_bytes / Cache::page_bytes(model.cache_shape(), model.dtype())),
               model.dtype(), model.device()) {}

  GenerationTotals run();

 private:
  const GenerationRequest& request_of(const Active& a) const { return requests_[a.request]; }
  std::string fault_of(const GenerationRequest& request) const;
  void put_in_order();
  // Pages that the request may still take.
  std::int64_t promised(const Active& a) const;
  bool admit(std::int64_t pages_promised);
  void leave_beginning();
  // Prompts that go along with a pass as far as there is room; those that are read to the end.
  std::vector<Active> read_prompts(std::vector<Append>& batch);
  void pass();
  // f(row, logits) for each row of the pass's hidden states, in order.
  template <class F>
  void for_logits(const at::Tensor& hidden, F&& f);
  at::Tensor forward(const std::vector<Append>& batch);
  // Chooses the next token; true when the text has ended.
  bool take(Active& a, std::span<float> logits);
  void score_choices(std::vector<Active>& actives);
  void finish(Active& a);

  const model::InferenceModel& model_;
  const std::vector<GenerationRequest>& requests_;
  const GenerationLimits& limits_;
  const GenerationCalls& calls_;
  Cache cache_;
  std::vector<std::size_t> order_;  // requests by their prompts
  std::size_t next_ = 0;            // in order_
  // What the request that was read last begins with and the next one too.
  std::optional<Cache::Sequence> beginning_;
  std::vector<Active> running_;    // each has a token that is not in the cache yet
  std::optional<Active> reading_;  // its prompt is being read
  GenerationTotals totals_;
};

std::string Work::fault_of(const GenerationRequest& request) const {
  const auto& shape = model_.shape();
  if (request.prompt.empty()) return "the prompt is empty";
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  auto pages = Cache::pages_of(prompt) + 1;
  std::int64_t longest = 0;
  for (const auto& c : request.choices) {
    if (c.empty()) return "a choice has no tokens";
    longest = std::max(longest, static_cast<std::int64_t>(c.size()));
    pages += 1 + Cache::pages_of(static_cast<std::int64_t>(c.size()));
  }
  if (prompt >= shape.max_positions) {
    return "the prompt has " + std::to_string(prompt) + " tokens, the model reads " +
           std::to_string(shape.max_positions);
  }
  const auto outside = [&](const std::vector<TokenId>& tokens) {
    return std::any_of(tokens.begin(), tokens.end(),
                       [&](TokenId t) { return t < 0 || t >= shape.vocab; });
  };
  if (outside(request.prompt) ||
      std::any_of(request.choices.begin(), request.choices.end(), outside)) {
    return "a token is outside the model's vocabulary of " + std::to_string(shape.vocab);
  }
  if (prompt + longest > shape.max_positions) {
    return "prompt and longest choice have " + std::to_string(prompt + longest) +
           " tokens, the model reads " + std::to_string(shape.max_positions);
  }
  if (request.choices.empty()) {
    pages =
        1 + Cache::pages_of(std::min(prompt + request.sampling.max_tokens, shape.max_positions));
  }
  if (pages > cache_.pages()) {
    return "prompt and reply need " + std::to_string(pages * Cache::kPage) +
           " tokens of cache, there is room for " + std::to_string(cache_.pages() * Cache::kPage) +
           ": allow more memory for it";
  }
  return {};
}

void Work::put_in_order() {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (auto fault = fault_of(requests_[i]); fault.empty()) {
      order_.push_back(i);
    } else {
      Generation failed;
      failed.error = std::move(fault);
      calls_.done(i, std::move(failed));
    }
  }
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return requests_[a].prompt < requests_[b].prompt;
  });
}

std::int64_t Work::promised(const Active& a) const {
  const auto& r = request_of(a);
  const auto prompt = static_cast<std::int64_t>(r.prompt.size());
  if (r.choices.empty()) {
    const auto end = std::min(prompt + r.sampling.max_tokens, model_.shape().max_positions);
    return cache_.pages_for(a.sequence, end - cache_.length(a.sequence));
  }
  // Each choice forks from the prompt and may copy its last page.
  auto pages = cache_.pages_for(a.sequence, prompt - a.read);
  for (const auto& c : r.choices) {
    if (c.size() > 1) pages += 1 + Cache::pages_of(static_cast<std::int64_t>(c.size()));
  }
  return pages;
}

// Begins the next request if the cache can hold it to its end beside what is promised already.
bool Work::admit(std::int64_t pages_promised) {
  if (next_ == order_.size()) return false;
  Active a;
  a.request = order_[next_];
  const auto& r = request_of(a);
  if (beginning_) {
    // The last token is always read: what follows is read off its row.
    const auto shared =
        std::min(cache_.length(*beginning_), static_cast<std::int64_t>(r.prompt.size()) - 1);
    a.sequence = cache_.fork(*beginning_, shared);
    a.read = shared;
  } else {
    a.sequence = cache_.create();
  }
  if (promised(a) + pages_promised > cache_.free_pages()) {
    cache_.drop(a.sequence);
    // With nothing else in the cache a request always fits (fault_of), so what stands in the way
    // with nothing promised to others is the beginning that was kept for it.
    if (pages_promised == 0 && beginning_) {
      cache_.drop(*beginning_);
      beginning_.reset();
      return admit(pages_promised);
    }
    return false;
  }
  a.begun = monotonic_seconds();
  a.rng.emplace(r.sampling.seed, "generate", static_cast<std::uint64_t>(r.sample));
  a.out.prompt_computed = static_cast<std::int64_t>(r.prompt.size()) - a.read;
  totals_.prompt_tokens += static_cast<std::int64_t>(r.prompt.size());
  totals_.prompt_computed += a.out.prompt_computed;
  if (r.sampling.repetition_penalty != 1.0) {
    for (const auto t : r.prompt) ++a.seen[t];
  }
  ++next_;
  reading_ = std::move(a);
  return true;
}

// Keeps what the next request has in common with the one whose prompt has just been appended.
void Work::leave_beginning() {
  if (beginning_) cache_.drop(*beginning_);
  beginning_.reset();
  if (next_ == order_.size()) return;
  const auto shared =
      common_beginning(request_of(*reading_).prompt, requests_[order_[next_]].prompt);
  if (shared > 0) beginning_ = cache_.fork(reading_->sequence, shared);
}

std::vector<Active> Work::read_prompts(std::vector<Append>& batch) {
  std::vector<Active> ready;
  std::int64_t pages = 0;
  for (const auto& a : running_) pages += promised(a);
  const auto room = limits_.pass_tokens - static_cast<std::int64_t>(running_.size());
  for (auto left = std::max(room, limits_.pass_tokens / 4); left > 0;) {
    const auto company = static_cast<std::int64_t>(running_.size() + ready.size());
    if (!reading_ && ((company > 0 && company >= limits_.running) || !admit(pages))) break;
    Active& a = *reading_;
    const auto& prompt = request_of(a).prompt;
    const auto end = std::min(static_cast<std::int64_t>(prompt.size()), a.read + left);
    const bool whole = end == static_cast<std::int64_t>(prompt.size());
    left -= end - a.read;
    batch.push_back(model::append(cache_, a.sequence,
                                  {prompt.begin() + a.read, prompt.begin() + end}, whole ? 1 : 0));
    a.read = end;
    if (!whole) break;
    leave_beginning();
    pages += promised(a);
    ready.push_back(std::move(a));
    reading_.reset();
  }
  return ready;
}

at::Tensor Work::forward(const std::vector<Append>& batch) {
  const auto begun = monotonic_seconds();
  ++totals_.passes;
  totals_.cache_pages = std::max(totals_.cache_pages, cache_.pages() - cache_.free_pages());
  at::Tensor hidden = model_.forward(cache_, batch);
  totals_.forward_seconds += monotonic_seconds() - begun;
  return hidden;
}

template <class F>
void Work::for_logits(const at::Tensor& hidden, F&& f) {
  constexpr std::int64_t piece = 128;  // rows whose logits exist at once
  for (std::int64_t first = 0; first < hidden.size(0); first += piece) {
    auto begun = monotonic_seconds();
    const auto count = std::min(piece, hidden.size(0) - first);
    const at::Tensor logits = model_.logits(hidden.narrow(0, first, count));
    totals_.logits_seconds += monotonic_seconds() - begun;
    begun = monotonic_seconds();
    const auto vocab = static_cast<std::size_t>(logits.size(1));
    float* row = logits.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < count; ++i, row += vocab) {
      f(static_cast<std::size_t>(first + i), std::span<float>(row, vocab));
    }
    totals_.sample_seconds += monotonic_seconds() - begun;
  }
}

bool Work::take(Active& a, std::span<float> logits) {
  const auto& r = request_of(a);
  const auto token = sample(logits, r.sampling, a.seen, *a.rng);
  auto& out = a.out;
  if (std::find(r.end_tokens.begin(), r.end_tokens.end(), token) != r.end_tokens.end()) {
    out.ended = true;
    return true;
  }
  out.tokens.push_back(token);
  ++totals_.new_tokens;
  if (r.sampling.repetition_penalty != 1.0) ++a.seen[token];
  if (calls_.ended && calls_.ended(a.request, out.tokens)) {
    out.ended = true;
    return true;
  }
  const auto written = static_cast<std::int64_t>(out.tokens.size());
  return written >= r.sampling.max_tokens ||
         static_cast<std::int64_t>(r.prompt.size()) + written >= model_.shape().max_positions;
}

// What is left of choices after their first tokens, those of all prompts in one pass.
void Work::score_choices(std::vector<Active>& actives) {
  std::vector<Append> batch;
  struct Place {
    std::size_t active, choice, token;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < actives.size(); ++i) {
    const auto& choices = request_of(actives[i]).choices;
    for (std::size_t c = 0; c < choices.size(); ++c) {
      if (choices[c].size() < 2) continue;
      const auto fork = cache_.fork(actives[i].sequence, cache_.length(actives[i].sequence));
      const auto count = static_cast<std::int64_t>(choices[c].size()) - 1;
      batch.push_back(
          model::append(cache_, fork, {choices[c].begin(), choices[c].end() - 1}, count));
      for (std::size_t t = 1; t < choices[c].size(); ++t) places.push_back({i, c, t});
    }
  }
  if (batch.empty()) return;
  for_logits(forward(batch), [&](std::size_t row, std::span<float> logits) {
    const auto [i, c, t] = places[row];
    actives[i].out.choice_log_probabilities[c] +=
        log_probability(logits, request_of(actives[i]).choices[c][t]);
  });
  for (const auto& a : batch) cache_.drop(a.sequence);
}

void Work::finish(Active& a) {
  cache_.drop(a.sequence);
  a.out.seconds = monotonic_seconds() - a.begun;
  calls_.done(a.request, std::move(a.out));
}

void Work::pass() {
  std::vector<Append> batch;
  for (auto& a : running_) {
    batch.push_back(model::append(cache_, a.sequence, {a.out.tokens.back()}, 1));
  }
  auto ready = read_prompts(batch);
  std::vector<Active> scored, going_on, finished;
  const auto writers = running_.size();
  for_logits(forward(batch), [&](std::size_t row, std::span<float> logits) {
    Active& a = row < writers ? running_[row] : ready[row - writers];
    if (const auto& choices = request_of(a).choices; !choices.empty()) {
      for (const auto& c : choices) {
        a.out.choice_log_probabilities.push_back(log_probability(logits, c[0]));
      }
      a.out.ended = true;
      scored.push_back(std::move(a));
    } else if (take(a, logits)) {
      finished.push_back(std::move(a));
    } else {
      going_on.push_back(std::move(a));
    }
  });
  running_ = std::move(going_on);
  score_choices(scored);
  for (auto* list : {&finished, &scored}) {
    for (auto& a : *list) finish(a);
  }
}

GenerationTotals Work::run() {
  put_in_order();
  while (next_ < order_.size() || !running_.empty() || reading_) pass();
  return totals_;
}

}  // namespace

GenerationTotals& GenerationTotals::operator+=(const GenerationTotals& other) {
  passes += other.passes;
  prompt_tokens += other.prompt_tokens;
  prompt_computed += other.prompt_computed;
  new_tokens += other.new_tokens;
  forward_seconds += other.forward_seconds;
  logits_seconds += other.logits_seconds;
  sample_seconds += other.sample_seconds;
  cache_pages = std::max(cache_pages, other.cache_pages);
  return *this;
}

GenerationTotals generate(const model::InferenceModel& model,
                          const std::vector<GenerationRequest>& requests,
                          const GenerationLimits& limits, const GenerationCalls& calls) {
  return Work(model, requests, limits, calls).run();
}

}  // namespace straq::local
