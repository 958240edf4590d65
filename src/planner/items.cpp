#include "planner/items.h"

#include <algorithm>
#include <cmath>

namespace straq::planner {

bool carries_text(const BatchItem& item) {
  return item.first == 0;
}

std::int64_t first_predicted(const prompt::Comb& comb) {
  return std::max<std::int64_t>(comb.trunks.front().header, 1);
}

std::int64_t text_tokens(const prompt::Comb& comb) {
  const auto tokens = static_cast<std::int64_t>(comb.trunks.front().tokens.size());
  return std::max<std::int64_t>(0, tokens - first_predicted(comb));
}

std::int64_t predicted_tokens(const prompt::Comb& comb, const BatchItem& item) {
  if (!comb.learns_replies()) return carries_text(item) ? text_tokens(comb) : 0;
  std::int64_t n = 0;
  for (auto d = item.first; d < item.last; ++d) {
    n += comb.probes[static_cast<std::size_t>(d)].target;
  }
  return n;
}

std::int64_t item_operations(const prompt::Comb& comb, const BatchItem& item,
                             const ItemCost& cost) {
  std::vector<double> reach(comb.trunks.size(), 0);
  double rows = 0, pairs = 0, text = 0;
  for (auto d = item.first; d < item.last; ++d) {
    const auto& probe = comb.probes[static_cast<std::size_t>(d)];
    auto& r = reach[static_cast<std::size_t>(probe.trunk)];
    // What the trunk repeats of a probe is computed once.
    const auto repeated = static_cast<double>(comb.repeated(probe));
    const auto attach = probe.attach + repeated;
    r = std::max(r, attach);
    const auto n = static_cast<double>(probe.tokens.size()) - repeated;
    rows += n;
    pairs += n * (attach + n / 2);
  }
  if (comb.learns_replies()) {
    text = static_cast<double>(predicted_tokens(comb, item));
  } else if ((cost.text > 0 && carries_text(item)) || item.count() == 0) {
    // Without decisions there is nothing but the text, whatever is asked for.
    reach.front() = static_cast<double>(comb.trunks.front().tokens.size());
    text = static_cast<double>(text_tokens(comb));
  }
  for (const double r : reach) {
    rows += r;
    pairs += r * r / 2;
  }
  return std::llround(rows * cost.row + pairs * cost.pair + text * cost.text);
}

std::int64_t item_tokens(const prompt::Comb& comb, const BatchItem& item) {
  return item_operations(comb, item, {});
}

std::vector<Batch> micro_batches(const Batch& share, const std::vector<prompt::Comb>& combs,
                                 std::int64_t tokens) {
  std::vector<Batch> out;
  std::int64_t held = 0;
  for (const auto& item : share) {
    const auto cost = item_tokens(combs[static_cast<std::size_t>(item.comb)], item);
    if (out.empty() || held + cost > tokens) {
      out.emplace_back();
      held = 0;
    }
    out.back().push_back(item);
    held += cost;
  }
  return out;
}

}  // namespace straq::planner
