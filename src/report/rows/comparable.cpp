#include "report/rows/comparable.h"

#include <algorithm>

#include "core/error.h"
#include "metrics/seeds.h"

namespace straq::report {
namespace {

void scale(metrics::CountMatrix& m, int by) {
  for (auto& c : m.cells) c *= by;
}

void scale(metrics::ResponseSums& s, int by) {
  const metrics::ResponseSums once = s;
  for (int i = 1; i < by; ++i) s += once;
}

// The dialogues that a row has sums of; of counts the number of strategies too.
std::vector<std::string> ground_of(const Comparable& row, metrics::SumsOf kind) {
  std::vector<std::string> out;
  const auto take = [&](const auto& sums) {
    for (const auto& [dialogue, s] : sums) out.push_back(dialogue);
  };
  if (kind == metrics::SumsOf::choices) {
    take(row.counts);
    if (!row.counts.empty()) out.push_back(std::to_string(row.counts.begin()->second.k));
  } else if (kind == metrics::SumsOf::scores) {
    take(row.rewards);
  } else if (kind == metrics::SumsOf::replies) {
    take(row.sums);
  }
  return out;
}

std::size_t dialogues_of(const Comparable& row, metrics::SumsOf kind) {
  return kind == metrics::SumsOf::choices  ? row.counts.size()
         : kind == metrics::SumsOf::scores ? row.rewards.size()
                                           : row.sums.size();
}

// Of `order`, best first, those that can be compared with each other; of the others says why not.
std::vector<std::size_t> comparable(const std::vector<Contender>& rows,
                                    const std::vector<std::size_t>& order, metrics::SumsOf kind,
                                    Ranking& out) {
  const std::string most = std::to_string(kMostRanked);
  std::vector<std::size_t> candidates = order;
  if (candidates.size() > kMostRanked) {
    std::erase_if(candidates, [&](std::size_t i) {
      if (rows[i].swept) {
        out.left_out[i] = "settings of a sweep, in a block of more than " + most + " rows";
      }
      return rows[i].swept;
    });
  }
  if (candidates.size() > kMostRanked) {
    for (const std::size_t i : candidates) out.left_out[i] = "more than " + most + " methods";
    return {};
  }
  // Rows by what they were measured on; the first of each is its best.
  std::vector<std::pair<std::vector<std::string>, std::vector<std::size_t>>> groups;
  for (const std::size_t i : candidates) {
    const Comparable& row = *rows[i].data;
    if (row.uneven.count(kind) > 0) {
      out.left_out[i] = "their seeds are on different dialogues";
      continue;
    }
    auto ground = ground_of(row, kind);
    if (ground.empty()) {
      out.left_out[i] = rows[i].unread && kind == metrics::SumsOf::choices
                            ? "their predictions were not read: too many runs"
                            : "no data by dialogue";
      continue;
    }
    if (dialogues_of(row, kind) < 2) {
      out.left_out[i] = kOneDialogue;
      continue;
    }
    const auto at = std::find_if(groups.begin(), groups.end(),
                                 [&](const auto& group) { return group.first == ground; });
    if (at == groups.end()) {
      groups.push_back({std::move(ground), {i}});
    } else {
      at->second.push_back(i);
    }
  }
  if (groups.empty()) return {};
  const auto largest = std::max_element(
      groups.begin(), groups.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  for (auto it = groups.begin(); it != groups.end(); ++it) {
    if (it == largest) continue;
    for (const std::size_t i : it->second) out.left_out[i] = "other dialogues than most rows";
  }
  return largest->second;
}

// What the tests say of a row's lead over another: nothing of seeds where they are too few.
struct Lead {
  bool dialogues = false;
  std::optional<bool> seeds;
  bool stands() const { return dialogues && seeds.value_or(true); }
  // The mark of a lead that does not stand.
  Emphasis noise() const {
    if (dialogues) return Emphasis::noise_seeds;
    return seeds.value_or(false) ? Emphasis::noise_dialogues : Emphasis::noise;
  }
};

// The leads of order[leader] over each row after it, both kinds of p after Holm's correction over
// those rows; nothing when one of them cannot be tested.
std::optional<std::vector<Lead>> leads_of(const std::vector<Contender>& rows,
                                          const std::vector<std::size_t>& order, std::size_t leader,
                                          const metrics::Metric& metric) {
  constexpr double kLevel = 0.05;
  const Contender& best = rows[order[leader]];
  std::vector<double> p, seeds_p;
  std::vector<std::size_t> with_seeds;
  std::vector<Lead> out(order.size() - leader - 1);
  for (std::size_t j = 0; j < out.size(); ++j) {
    const Contender& other = rows[order[leader + 1 + j]];
    const auto d = compare(*best.data, *other.data, metric, false);
    if (!d) return std::nullopt;
    p.push_back(d->p);
    if (best.by_seed == nullptr || other.by_seed == nullptr) continue;
    if (const auto over_seeds = metrics::seeds_p(*best.by_seed, *other.by_seed)) {
      seeds_p.push_back(*over_seeds);
      with_seeds.push_back(j);
    }
  }
  const auto adjusted = metrics::holm(p), adjusted_seeds = metrics::holm(seeds_p);
  for (std::size_t j = 0; j < out.size(); ++j) out[j].dialogues = adjusted[j] < kLevel;
  for (std::size_t k = 0; k < with_seeds.size(); ++k) {
    out[with_seeds[k]].seeds = adjusted_seeds[k] < kLevel;
  }
  return out;
}

}  // namespace

std::vector<metrics::PairedDifference> compare_all(const Comparable& a, const Comparable& b,
                                                   const metrics::Metric& metric, bool interval) {
  metrics::PairedOptions o;
  if (!interval) o.bootstrap.replicates = 0;
  const metrics::SumsOf kind = metric.sums;
  if (kind == metrics::SumsOf::none || a.uneven.count(kind) + b.uneven.count(kind) > 0) return {};
  if (kind == metrics::SumsOf::choices) {
    auto paired = metrics::pair_up(a.counts, b.counts);
    if (paired.a.empty() || paired.left_out > 0 || paired.a[0].k != paired.b[0].k) return {};
    // The rows' seeds weigh the same: each side counts as often as the other has seeds.
    for (auto& m : paired.a) scale(m, b.count_seeds);
    for (auto& m : paired.b) scale(m, a.count_seeds);
    return metrics::compare_strategies(paired.a, paired.b, o);
  }
  if (kind == metrics::SumsOf::scores) {
    const auto paired = metrics::pair_up(a.rewards, b.rewards);
    if (paired.a.empty() || paired.left_out > 0) return {};
    return metrics::compare_means(paired.a, paired.b, metric.key, o);
  }
  auto paired = metrics::pair_up(a.sums, b.sums);
  if (paired.a.empty() || paired.left_out > 0) return {};
  for (auto& s : paired.a) scale(s, b.sum_seeds);
  for (auto& s : paired.b) scale(s, a.sum_seeds);
  return metrics::compare_replies(paired.a, paired.b, metrics::BleuVariant::method3, o);
}

std::optional<metrics::PairedDifference> compare(const Comparable& a, const Comparable& b,
                                                 const metrics::Metric& metric, bool interval) {
  for (auto& d : compare_all(a, b, metric, interval)) {
    if (d.metric == metric.key) return d;
  }
  return std::nullopt;
}

Ranking rank(const std::vector<Contender>& rows, const metrics::Metric& metric) {
  rankable_metric(metric.key);
  Ranking out;
  out.emphasis.assign(rows.size(), Emphasis::none);
  out.left_out.assign(rows.size(), "");
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].value) order.push_back(i);
  }
  if (order.size() < 2 || !metric.tested()) return out;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return metric.beats(*rows[x].value, *rows[y].value);
  });
  order = comparable(rows, order, metric.sums, out);
  if (order.size() < 2) return out;
  const auto first = leads_of(rows, order, 0, metric);
  if (!first) return out;
  out.tested = true;
  for (const Lead& lead : *first) out.over_seeds = out.over_seeds || lead.seeds.has_value();
  if (first->front().stands()) {
    out.emphasis[order[0]] = Emphasis::best;
    if (order.size() < 3) return out;
    const auto second = leads_of(rows, order, 1, metric);
    if (second && second->front().stands()) out.emphasis[order[1]] = Emphasis::second;
    return out;
  }
  out.emphasis[order[0]] = first->front().noise();
  for (std::size_t j = 1; j < order.size(); ++j) {
    const Lead& lead = (*first)[j - 1];
    if (!lead.stands()) out.emphasis[order[j]] = lead.noise();
  }
  return out;
}

const metrics::Metric& rankable_metric(const std::string& word) {
  const std::string key = metrics::current_key(word);
  if (key == "bias") {
    fail_input(
        "rows cannot be ranked by B alone",
        "B looks at wrong choices only: a planner that draws from the corpus's strategies at "
        "random has a B near 0.12 with an accuracy of 13 percent; rank by acc or macro_f1 and read "
        "B beside them");
  }
  std::string known;
  for (const metrics::Metric* m : metrics::all_metrics()) {
    if (!m->rankable) continue;
    if (key == m->key) return *m;
    known += (known.empty() ? "" : ", ") + std::string(m->key);
  }
  fail_input("there is no metric \"" + word + "\" to rank by", "choose one of: " + known);
}

}  // namespace straq::report
