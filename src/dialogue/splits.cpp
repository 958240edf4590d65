#include "dialogue/splits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "core/rng.h"

namespace straq::dialogue {
namespace {

// Items 0..count-1 in random order, cut by the shares: result[i] is the split of item i.
std::vector<std::size_t> assign(std::size_t count, const Shares& shares, std::uint64_t seed,
                                std::string_view stream) {
  const auto counts = share_counts(count, shares);
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  CounterRng rng(seed, stream);
  shuffle(order, rng);
  std::vector<std::size_t> split_of(count);
  std::size_t next = 0;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    for (std::size_t k = 0; k < counts[s]; ++k) split_of[order[next++]] = s;
  }
  return split_of;
}

std::vector<SplitPlan> empty_plans(const Shares& shares) {
  std::vector<SplitPlan> plans;
  for (const auto& [name, share] : shares) plans.push_back({name, {}});
  return plans;
}

}  // namespace

std::vector<std::size_t> share_counts(std::size_t count, const Shares& shares) {
  double sum = 0;
  for (const auto& [name, share] : shares) {
    if (!(share >= 0 && share <= 1)) {
      fail_input("the share of split \"" + name + "\" must be between 0 and 1");
    }
    sum += share;
  }
  if (shares.empty() || std::abs(sum - 1) > 1e-6) {
    fail_input("the shares of the splits sum to " + std::to_string(sum) + ", not to 1",
               "for instance train 0.7, valid 0.15, test 0.15");
  }
  std::vector<std::size_t> counts(shares.size());
  std::size_t taken = 0;
  for (std::size_t s = 1; s < shares.size(); ++s) {
    const auto rounded = static_cast<std::size_t>(std::llround(shares[s].second * double(count)));
    counts[s] = std::min(rounded, count - taken);
    taken += counts[s];
  }
  counts[0] = count - taken;
  for (std::size_t s = 0; s < shares.size(); ++s) {
    if (counts[s] == 0 && shares[s].second > 0) {
      fail_input("split \"" + shares[s].first + "\" would be empty: " + std::to_string(count) +
                     " items are too few for these shares",
                 "use a larger corpus or other shares");
    }
  }
  return counts;
}

std::vector<SplitPlan> plan_ratio(std::size_t dialogues, const Shares& shares, std::uint64_t seed) {
  const auto split_of = assign(dialogues, shares, seed, "split_dialogues");
  auto plans = empty_plans(shares);
  for (std::size_t d = 0; d < dialogues; ++d) plans[split_of[d]].members.push_back({d, {}});
  return plans;
}

std::vector<SplitPlan> plan_sample_level(const std::vector<std::size_t>& decisions,
                                         const Shares& shares, std::uint64_t seed) {
  const std::size_t all = std::accumulate(decisions.begin(), decisions.end(), std::size_t{0});
  const auto split_of = assign(all, shares, seed, "split_decisions");

  auto plans = empty_plans(shares);
  std::size_t next = 0, shared = 0;
  for (std::size_t d = 0; d < decisions.size(); ++d) {
    const std::size_t n = decisions[d];
    // Without decisions there is nothing to deal out or to give away: its text is for training.
    if (n == 0) {
      const auto first = std::find_if(shares.begin(), shares.end(),
                                      [](const auto& share) { return share.second > 0; });
      plans[static_cast<std::size_t>(first - shares.begin())].members.push_back({d, {}});
      continue;
    }
    std::size_t owners = 0;
    for (std::size_t s = 0; s < plans.size(); ++s) {
      std::vector<std::uint8_t> owned(n);
      for (std::size_t i = 0; i < n; ++i) owned[i] = split_of[next + i] == s;
      if (std::find(owned.begin(), owned.end(), 1) == owned.end()) continue;
      ++owners;
      plans[s].members.push_back({d, std::move(owned)});
    }
    shared += owners > 1;
    next += n;
  }
  log::warn("data",
            "split sample_level leaks: {} of {} dialogues stand in more than one split, so history "
            "in one reveals answers in another; use it only to measure that leak",
            shared, decisions.size());
  return plans;
}

Episode restrict_to(const Episode& episode, const std::vector<std::uint8_t>& owned) {
  if (owned.empty()) return episode;
  Episode out = episode;
  out.decisions.clear();
  for (std::size_t i = 0; i < episode.decisions.size(); ++i) {
    if (owned.at(i)) out.decisions.push_back(episode.decisions[i]);
  }
  if (!out.decisions.empty()) out.decisions.back().terminal = true;
  return out;
}

}  // namespace straq::dialogue
