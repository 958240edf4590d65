#include "metrics/paired.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

// Below this number of dialogues all arrangements are fewer than the random ones would be.
constexpr std::size_t kMostExact = 13;

// The observed difference itself is among the arrangements and must count in spite of rounding.
bool as_far(double x, double observed) {
  return std::abs(x) >= std::abs(observed) - 1e-12 * std::max(1.0, std::abs(observed));
}

// The metrics of a list that tests take.
template <class M>
struct Tested {
  std::vector<const M*> metrics;
  std::vector<std::string> keys;
  bool bias = false;  // its iteration would cost most of the time
};
template <class M>
Tested<M> tested_of(std::span<const M> all) {
  Tested<M> out;
  for (const M& m : all) {
    if (!m.tested()) continue;
    out.metrics.push_back(&m);
    out.keys.emplace_back(m.key);
    out.bias = out.bias || out.keys.back() == "bias";
  }
  return out;
}

}  // namespace

template <class Sums>
std::vector<PairedDifference> paired_differences(std::span<const Sums> a, std::span<const Sums> b,
                                                 const std::vector<std::string>& metrics,
                                                 const ScoreAll<Sums>& score, const Sums& nothing,
                                                 const PairedOptions& options) {
  if (a.size() != b.size() || a.empty()) {
    fail_input("cannot compare two methods on " + std::to_string(a.size()) + " and " +
                   std::to_string(b.size()) + " dialogues",
               "a paired test needs the same dialogues of both, one at least");
  }
  const std::size_t n = a.size(), m = metrics.size();
  std::vector<double> score_a(m), score_b(m);
  const auto scores_of = [&](auto&& takes_b) {
    Sums first = nothing, second = nothing;
    for (std::size_t i = 0; i < n; ++i) {
      const bool swap = takes_b(i);
      first += swap ? b[i] : a[i];
      second += swap ? a[i] : b[i];
    }
    score(first, score_a);
    score(second, score_b);
  };
  scores_of([](std::size_t) { return false; });
  std::vector<PairedDifference> out(m);
  for (std::size_t j = 0; j < m; ++j) {
    out[j].metric = metrics[j];
    out[j].a = score_a[j];
    out[j].b = score_b[j];
    out[j].difference = score_a[j] - score_b[j];
    out[j].clusters = static_cast<std::int64_t>(n);
  }

  const bool exact =
      n <= kMostExact && (std::int64_t{1} << n) <= std::max(options.permutations, 1) + 1;
  const std::int64_t arrangements = exact ? std::int64_t{1} << n : options.permutations;
  std::vector<std::int64_t> count(m, 0);
  std::mt19937_64 random(options.seed);
  std::vector<std::uint8_t> swapped(n);
  for (std::int64_t r = 0; r < arrangements; ++r) {
    // Swap unless the top bit is set: the rule of random_permutation, so that p agrees with it.
    for (std::size_t i = 0; i < n; ++i) {
      swapped[i] = exact ? (r >> i) & 1 : (random() >> 63) == 0;
    }
    scores_of([&](std::size_t i) { return swapped[i] != 0; });
    for (std::size_t j = 0; j < m; ++j) {
      count[j] += as_far(score_a[j] - score_b[j], out[j].difference);
    }
  }
  for (std::size_t j = 0; j < m; ++j) {
    const auto c = static_cast<double>(count[j]), of = static_cast<double>(arrangements);
    out[j].p = exact ? c / of : (1 + c) / (of + 1);
    out[j].p_holm = out[j].p;
    out[j].exact = exact;
  }
  // One dialogue says nothing of how dialogues differ.
  if (options.bootstrap.replicates < 1 || n < 2) return out;

  std::vector<std::vector<double>> replicates(m);
  cluster_bootstrap(n, options.bootstrap, [&](std::span<const std::uint32_t> drawn) {
    Sums first = nothing, second = nothing;
    for (const std::uint32_t d : drawn) {
      first += a[d];
      second += b[d];
    }
    score(first, score_a);
    score(second, score_b);
    for (std::size_t j = 0; j < m; ++j) replicates[j].push_back(score_a[j] - score_b[j]);
    return 0.0;
  });
  for (std::size_t j = 0; j < m; ++j) {
    out[j].interval = percentile_interval(std::move(replicates[j]), options.bootstrap.level);
  }
  return out;
}

template std::vector<PairedDifference> paired_differences<CountMatrix>(
    std::span<const CountMatrix>, std::span<const CountMatrix>, const std::vector<std::string>&,
    const ScoreAll<CountMatrix>&, const CountMatrix&, const PairedOptions&);
template std::vector<PairedDifference> paired_differences<ResponseSums>(
    std::span<const ResponseSums>, std::span<const ResponseSums>, const std::vector<std::string>&,
    const ScoreAll<ResponseSums>&, const ResponseSums&, const PairedOptions&);
template std::vector<PairedDifference> paired_differences<MeanSums>(
    std::span<const MeanSums>, std::span<const MeanSums>, const std::vector<std::string>&,
    const ScoreAll<MeanSums>&, const MeanSums&, const PairedOptions&);

void holm_adjust(std::span<PairedDifference*> family) {
  std::vector<double> p;
  for (const auto* d : family) p.push_back(d->p);
  const auto adjusted = holm(p);
  for (std::size_t i = 0; i < family.size(); ++i) family[i]->p_holm = adjusted[i];
}

CountsOf counts_of(std::span<const Prediction> rows, const StrategyOptions& options) {
  const auto matrices = counts_by_dialogue(rows, options);
  CountsOf out;
  std::size_t next = 0;
  for (const auto& row : rows) {
    if (out.count(row.dialogue) == 0) out.emplace(row.dialogue, matrices.at(next++));
  }
  return out;
}

std::vector<PairedDifference> compare_strategies(std::span<const CountMatrix> a,
                                                 std::span<const CountMatrix> b,
                                                 const PairedOptions& options, MacroLabels macro) {
  const auto tested = tested_of(strategy_metrics());
  const ScoreAll<CountMatrix> score = [&](const CountMatrix& m, std::span<double> out) {
    const StrategyScores s = strategy_scores(m, macro, tested.bias);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = s.*tested.metrics[i]->score;
  };
  return paired_differences<CountMatrix>(a, b, tested.keys, score,
                                         CountMatrix(a.empty() ? 1 : a[0].k), options);
}

std::vector<PairedDifference> compare_replies(std::span<const ResponseSums> a,
                                              std::span<const ResponseSums> b, BleuVariant variant,
                                              const PairedOptions& options) {
  const auto tested = tested_of(reply_metrics());
  const ScoreAll<ResponseSums> score = [&](const ResponseSums& s, std::span<double> out) {
    const auto scores = additive_scores(s, variant);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = scores[tested.metrics[i]->which];
  };
  return paired_differences<ResponseSums>(a, b, tested.keys, score, {}, options);
}

std::vector<PairedDifference> compare_means(std::span<const MeanSums> a,
                                            std::span<const MeanSums> b, const std::string& metric,
                                            const PairedOptions& options) {
  const ScoreAll<MeanSums> score = [](const MeanSums& s, std::span<double> out) {
    out[0] = s.mean();
  };
  return paired_differences<MeanSums>(a, b, {metric}, score, {}, options);
}

DecisionComparison compare_decisions(std::span<const Prediction> a, std::span<const Prediction> b) {
  std::map<std::string, const Prediction*> other;
  for (const auto& row : b) other.emplace(row.id(), &row);
  const auto refuse = [](const std::string& message) {
    fail_input("cannot compare decision by decision: " + message,
               "evaluate both methods on the same split with the same merge rule");
  };
  DecisionComparison out;
  std::map<std::string, int> dialogues;
  for (const auto& row : a) {
    const auto it = other.find(row.id());
    if (it == other.end()) refuse("the second method lacks " + row.id());
    if (it->second->gold != row.gold) refuse("the gold strategies of " + row.id() + " differ");
    const bool right_a = row.chosen == row.gold, right_b = it->second->chosen == row.gold;
    out.only_a += right_a && !right_b;
    out.only_b += right_b && !right_a;
    ++out.decisions;
    out.anti_conservative = ++dialogues[row.dialogue] > 1 || out.anti_conservative;
    other.erase(it);
  }
  if (!other.empty()) refuse("the first method lacks " + other.begin()->first);
  out.test = mcnemar(out.only_a, out.only_b);
  return out;
}

SeedComparison compare_seeds(const std::map<std::string, double>& a,
                             const std::map<std::string, double>& b) {
  SeedComparison out;
  std::vector<double> differences;
  for (const auto& [seed, value] : a) {
    const auto it = b.find(seed);
    if (it == b.end()) continue;
    out.seeds.push_back(seed);
    differences.push_back(value - it->second);
  }
  out.differences = summarise_seeds(differences);
  if (differences.size() > 1) out.p = exact_sign_flip(differences).p;
  return out;
}

}  // namespace straq::metrics
