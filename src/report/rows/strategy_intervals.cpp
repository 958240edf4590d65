#include "report/rows/strategy_intervals.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace straq::report {
namespace {

// What the draws that have a number say, if these are nearly all.
std::optional<metrics::Interval> interval_of(std::vector<double> found,
                                             const metrics::BootstrapOptions& options) {
  const auto all = static_cast<std::size_t>(options.replicates);
  if (found.empty() || found.size() * 20 < all * 19) return std::nullopt;
  return metrics::percentile_interval(std::move(found), options.level);
}

}  // namespace

std::vector<metrics::StrategyInterval> intervals_by_strategy(
    std::span<const metrics::CountMatrix> by_dialogue, const metrics::BootstrapOptions& options) {
  if (by_dialogue.empty()) return {};
  const auto k = static_cast<std::size_t>(by_dialogue.front().k);
  std::vector<metrics::StrategyInterval> out(k);
  if (by_dialogue.size() < 2) return out;
  // Side by side: most of the time is adding these up, draw after draw.
  const std::size_t size = k * (k + 1);
  std::vector<std::int32_t> counts;
  counts.reserve(by_dialogue.size() * size);
  for (const auto& m : by_dialogue) counts.insert(counts.end(), m.cells.begin(), m.cells.end());

  std::vector<std::vector<double>> recall(k), f1(k), preference(k);
  std::vector<std::int32_t> sum(size);
  std::vector<double> wins(k * k);
  metrics::cluster_bootstrap(by_dialogue.size(), options, [&](auto drawn) {
    std::fill(sum.begin(), sum.end(), 0);
    for (const auto d : drawn) {
      const std::int32_t* from = counts.data() + d * size;
      for (std::size_t i = 0; i < size; ++i) sum[i] += from[i];
    }
    for (std::size_t s = 0; s < k; ++s) {
      std::int64_t gold = 0, chosen = 0;
      for (std::size_t other = 0; other <= k; ++other) gold += sum[s * (k + 1) + other];
      for (std::size_t other = 0; other < k; ++other) {
        const std::int32_t n = sum[other * (k + 1) + s];  // gold `other`, chosen s
        chosen += n;
        wins[s * k + other] = n;
      }
      if (gold == 0) continue;
      const double hits = sum[s * (k + 1) + s];
      recall[s].push_back(hits / static_cast<double>(gold));
      f1[s].push_back(2 * hits / static_cast<double>(gold + chosen));
    }
    const auto p = metrics::bradley_terry(wins);
    for (std::size_t s = 0; s < k && !p.degenerate; ++s) preference[s].push_back(p.p[s]);
    return 0.0;  // what was drawn is kept above, strategy by strategy
  });
  for (std::size_t s = 0; s < k; ++s) {
    out[s].recall = interval_of(std::move(recall[s]), options);
    out[s].f1 = interval_of(std::move(f1[s]), options);
    out[s].preference = interval_of(std::move(preference[s]), options);
  }
  return out;
}

}  // namespace straq::report
