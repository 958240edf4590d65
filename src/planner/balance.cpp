#include "planner/balance.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace straq::planner {
namespace {

// Beyond so many items of two learners trying all divisions takes too long, and is not needed:
// many items balance by themselves.
constexpr std::size_t kExhaustive = 16;

using Load = std::vector<std::size_t>;  // indices of items

std::int64_t weight(const Load& load, const std::vector<std::int64_t>& cost) {
  std::int64_t sum = 0;
  for (const auto i : load) sum += cost[i];
  return sum;
}

// Divides what `a` and `b` hold as evenly as possible. True when the heavier of the two got
// lighter.
bool divide(Load& a, Load& b, const std::vector<std::int64_t>& cost) {
  Load all = a;
  all.insert(all.end(), b.begin(), b.end());
  if (all.size() > kExhaustive || all.size() < 2) return false;
  std::sort(all.begin(), all.end());
  const std::int64_t total = weight(all, cost), before = std::max(weight(a, cost), weight(b, cost));
  std::int64_t best = before, in = 0;
  std::uint32_t mask = 0, best_mask = 0;
  // All subsets in Gray code order: each differs from the one before by one item. The last item
  // stays out, since a division and its mirror image are the same.
  for (std::uint32_t n = 1; n < 1U << (all.size() - 1); ++n) {
    const int bit = std::countr_zero(n);
    mask ^= 1U << bit;
    const auto c = cost[all[static_cast<std::size_t>(bit)]];
    in += mask >> bit & 1U ? c : -c;
    const std::int64_t heavier = std::max(in, total - in);
    if (heavier < best) best = heavier, best_mask = mask;
  }
  if (best == before) return false;
  a.clear(), b.clear();
  for (std::size_t i = 0; i < all.size(); ++i) (best_mask >> i & 1U ? a : b).push_back(all[i]);
  return true;
}

}  // namespace

ItemCost cost_in(const model::LlamaShape& shape, bool lm) {
  const double products = shape.row_products();
  ItemCost cost;
  cost.row = 1000;  // fine enough when costs are rounded
  cost.pair =
      cost.row * 4 * static_cast<double>(shape.heads * shape.dim_per_head()) / (2 * products);
  if (lm) {
    cost.text = cost.row * static_cast<double>(shape.hidden * shape.vocab) /
                (products * static_cast<double>(shape.layers));
  }
  return cost;
}

Batch share_of(const Batch& batch, const std::vector<prompt::Comb>& combs, int rank, int size,
               const ItemCost& weights) {
  if (size == 1) return batch;
  std::vector<std::int64_t> cost;
  for (const auto& item : batch) {
    cost.push_back(item_operations(combs[static_cast<std::size_t>(item.comb)], item, weights));
  }
  std::vector<std::size_t> order(batch.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return cost[a] > cost[b]; });
  std::vector<Load> loads(static_cast<std::size_t>(size));
  const auto lighter = [&](const Load& a, const Load& b) {
    return weight(a, cost) < weight(b, cost);
  };
  for (const std::size_t i : order) {
    std::min_element(loads.begin(), loads.end(), lighter)->push_back(i);
  }
  for (bool better = true; better;) {
    better = false;
    const auto heaviest = std::max_element(loads.begin(), loads.end(), lighter);
    for (auto other = loads.begin(); other != loads.end() && !better; ++other) {
      if (other != heaviest) better = divide(*heaviest, *other, cost);
    }
  }
  Load mine = std::move(loads[static_cast<std::size_t>(rank)]);
  std::sort(mine.begin(), mine.end());  // keep the batch's order
  Batch share;
  for (const std::size_t i : mine) share.push_back(batch[i]);
  return share;
}

}  // namespace straq::planner
