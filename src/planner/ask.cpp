#include "planner/ask.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/balance.h"
#include "planner/items.h"

namespace straq::planner {
namespace {

// Every decision of an item's dialogue.
model::CombSelection all_probes(const prompt::Comb& comb) {
  model::CombSelection out{&comb, {}, false};
  out.probes.resize(comb.decisions.size());
  std::iota(out.probes.begin(), out.probes.end(), 0);
  return out;
}

}  // namespace

at::Tensor labels_of(const std::vector<model::CombSelection>& selections, std::int64_t options) {
  std::vector<std::int64_t> all;
  bool shuffled = false;
  for (const auto& s : selections) {
    shuffled = shuffled || !s.comb->option_order.empty();
    const auto labels = s.comb->labels(options);
    for (std::size_t i = 0; i < s.probes.size(); ++i) {
      all.insert(all.end(), labels.begin(), labels.end());
    }
  }
  return shuffled ? at::tensor(all, at::kLong).view({-1, options}) : at::Tensor();
}

at::Tensor ask(const Reading& reading, const std::vector<prompt::Comb>& combs, int rank, int size,
               const Pack& pack) {
  c10::NoGradGuard no_grad;
  Batch all;
  std::vector<std::int64_t> first_row;
  std::int64_t total = 0;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
    first_row.push_back(total);
    if (n > 0) all.push_back({static_cast<std::int32_t>(c), 0, n});
    total += n;
  }
  at::Tensor out = at::zeros({total, reading.option_ids.numel()}, at::kFloat);
  const Batch share = share_of(all, combs, rank, size, cost_in(reading.model.shape(), false));
  for (const Batch& micro : micro_batches(share, combs, reading.micro_tokens)) {
    std::vector<model::CombSelection> selections;
    for (const auto& item : micro) {
      selections.push_back(all_probes(combs[static_cast<std::size_t>(item.comb)]));
    }
    const model::CombBatch batch = pack(selections).to(reading.model.device());
    at::Tensor q = by_strategy(q_values(reading.model, batch, reading.option_ids, reading.readout)
                                   .to(at::kCPU, at::kFloat),
                               labels_of(selections, reading.option_ids.numel()));
    if (!reading.shift.empty()) q = q + at::tensor(reading.shift, at::kDouble).to(at::kFloat);
    std::int64_t at = 0;
    for (const auto& item : micro) {
      out.narrow(0, first_row[static_cast<std::size_t>(item.comb)], item.count())
          .copy_(q.narrow(0, at, item.count()));
      at += item.count();
    }
  }
  return out;
}

int choice(std::span<const float> q) {
  if (!std::all_of(q.begin(), q.end(), [](float x) { return std::isfinite(x); })) return -1;
  return static_cast<int>(std::max_element(q.begin(), q.end()) - q.begin());
}

}  // namespace straq::planner
