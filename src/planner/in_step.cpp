#include "planner/in_step.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

#include "model/weights/open_model.h"

namespace straq::planner {
namespace {

using model::Append;
using model::Cache;
using text::TokenId;

std::int64_t shared_tokens(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

// Every dialogue up to its window, what they all begin with, and the page that each writes on.
std::int64_t pages_needed(const Planner& planner, int dialogues) {
  const std::int64_t each = Cache::pages_of(planner.card().prompt.window) + 2;
  return each * (static_cast<std::int64_t>(dialogues) + 1);
}

}  // namespace

InStep::InStep(const Planner& planner, int dialogues, at::Device device)
    : planner_(planner),
      model_(model::open_model(planner.folder()), model::WeightPrecision::fp32, device),
      cache_(model_.cache_shape(), pages_needed(planner, dialogues), model_.dtype(), device) {
  const auto& ids = planner.card().option_ids;
  option_ids_ = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong);
}

Append InStep::more_of(int dialogue, const dialogue::Episode& history, std::vector<Append>& first) {
  // Throws unless the supporter is to speak.
  const dialogue::Episode asked = with_next(history);
  const auto& prompts = planner_.prompts();
  std::vector<TokenId> tokens = prompts.full_prompt(asked, asked.decisions.back().turn);
  if (!begun_) {
    begun_ = true;
    const auto header = std::min<std::ptrdiff_t>(prompts.header_tokens(),
                                                 static_cast<std::ptrdiff_t>(tokens.size()) - 1);
    beginning_.sequence = cache_.create();
    beginning_.tokens.assign(tokens.begin(), tokens.begin() + header);
    if (header > 0) first.push_back(append(cache_, beginning_.sequence, beginning_.tokens, 0));
  }
  auto [at, is_new] = dialogues_.try_emplace(dialogue);
  Progress& known = at->second;
  if (is_new) {
    const auto shared = shared_tokens(beginning_.tokens, tokens);
    known.sequence = cache_.fork(beginning_.sequence, shared);
    known.tokens.assign(tokens.begin(), tokens.begin() + shared);
  }
  // At least the last token is read anew: its hidden state is what is asked for.
  const auto same = std::min<std::int64_t>(shared_tokens(known.tokens, tokens),
                                           static_cast<std::int64_t>(tokens.size()) - 1);
  cache_.keep(known.sequence, same);
  Append out = append(cache_, known.sequence, {tokens.begin() + same, tokens.end()}, 1);
  known.tokens = std::move(tokens);
  return out;
}

at::Tensor InStep::q_next(const std::vector<std::pair<int, const dialogue::Episode*>>& histories) {
  c10::NoGradGuard no_grad;
  const auto n = static_cast<std::int64_t>(histories.size());
  at::Tensor out = at::zeros({n, option_ids_.numel()}, at::kFloat);
  if (n == 0) return out;
  std::vector<Append> batch, asked;
  for (const auto& [number, history] : histories) asked.push_back(more_of(number, *history, batch));
  std::move(asked.begin(), asked.end(), std::back_inserter(batch));
  for (const auto& a : batch) tokens_read_ += static_cast<std::int64_t>(a.tokens.size());
  const at::Tensor logits = model_.logits(model_.forward(cache_, batch));
  out.copy_(q_from_logits(planner_.card().q.readout, logits.index_select(1, option_ids_),
                          at::logsumexp(logits, {1})));
  return out;
}

void InStep::forget(int dialogue) {
  const auto at = dialogues_.find(dialogue);
  if (at == dialogues_.end()) return;
  cache_.drop(at->second.sequence);
  dialogues_.erase(at);
}

}  // namespace straq::planner
