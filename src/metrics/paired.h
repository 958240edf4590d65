// Comparisons of two methods on the same decisions. A difference between two rows of a table is
// only worth a word when it is larger than what exchanging the two methods, dialogue by dialogue,
// gives by chance. The test works for every metric of sums that add over dialogues (count matrices,
// n-gram counts), so accuracy, macro-F1, BLEU and judge scores are all tested in the same way.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/predictions.h"
#include "metrics/response_metrics.h"
#include "metrics/statistics.h"

namespace straq::metrics {

struct PairedOptions {
  int permutations = 9999;  // random arrangements; all of them are taken where they are fewer
  std::uint64_t seed = 42;
  BootstrapOptions bootstrap;  // of the difference; 0 replicates: no interval
};

struct PairedDifference {
  std::string metric;
  double a = 0, b = 0;
  double difference = 0;             // a - b
  std::optional<Interval> interval;  // bootstrap over dialogues of the difference; none of one
  double p = 1;                      // two-sided approximate randomisation; 1 of one dialogue
  double p_holm = 1;                 // after holm_adjust; until then p
  bool exact = false;                // every arrangement was looked at
  std::int64_t clusters = 0;         // dialogues
};

// Fills one number a metric from summed counts.
template <class Sums>
using ScoreAll = std::function<void(const Sums&, std::span<double>)>;

// a[i] and b[i] are what the two methods add up to on dialogue i. Each arrangement exchanges the
// two in some dialogues (Noreen 1989); p = (1 + count) / (arrangements + 1) for random ones, the
// plain share where all 2^n of them are looked at. Throws Error(input) for no dialogue and for
// different numbers of them. Sums needs `+=` and a default that adds nothing.
template <class Sums>
std::vector<PairedDifference> paired_differences(std::span<const Sums> a, std::span<const Sums> b,
                                                 const std::vector<std::string>& metrics,
                                                 const ScoreAll<Sums>& score, const Sums& nothing,
                                                 const PairedOptions& options = {});

// Replaces p_holm of each by Holm's adjustment of all p: the comparisons given are one family.
void holm_adjust(std::span<PairedDifference*> family);

// Numbers that add: a sum and how many there are (a mean of judge scores, of rewards).
struct MeanSums {
  double sum = 0, n = 0;
  MeanSums& operator+=(const MeanSums& other) {
    sum += other.sum;
    n += other.n;
    return *this;
  }
  double mean() const { return n > 0 ? sum / n : 0; }
};

// What a method adds up to, by dialogue.
using CountsOf = std::map<std::string, CountMatrix>;
CountsOf counts_of(std::span<const Prediction> rows, const StrategyOptions& options);

// Both sides of the dialogues that both methods have, in the order of their names. Only complete
// pairs count: `left_out` says how many dialogues one of the two lacks.
template <class Sums>
struct PairedSums {
  std::vector<Sums> a, b;
  std::size_t left_out = 0;
};
template <class Sums>
PairedSums<Sums> pair_up(const std::map<std::string, Sums>& a,
                         const std::map<std::string, Sums>& b) {
  PairedSums<Sums> out;
  for (const auto& [dialogue, sums] : a) {
    const auto other = b.find(dialogue);
    if (other == b.end()) {
      ++out.left_out;
      continue;
    }
    out.a.push_back(sums);
    out.b.push_back(other->second);
  }
  out.left_out += b.size() - out.b.size();
  return out;
}

// The metrics of choices that are tested (metrics/metric.h), in their order: "acc", "macro_f1".
std::vector<PairedDifference> compare_strategies(std::span<const CountMatrix> a,
                                                 std::span<const CountMatrix> b,
                                                 const PairedOptions& options = {},
                                                 MacroLabels macro = MacroLabels::all);

// The metrics of replies that are tested, in their order: "bleu2", "rouge_l", "cider".
std::vector<PairedDifference> compare_replies(std::span<const ResponseSums> a,
                                              std::span<const ResponseSums> b, BleuVariant variant,
                                              const PairedOptions& options = {});

// Means: `metric` names what is averaged.
std::vector<PairedDifference> compare_means(std::span<const MeanSums> a,
                                            std::span<const MeanSums> b, const std::string& metric,
                                            const PairedOptions& options = {});

// McNemar on which of the two chose as the human did. `anti_conservative`: decisions share
// dialogues, so the test takes dependent decisions for independent ones and its p is too small; it
// is an extra beside paired_differences and decides nothing.
struct DecisionComparison {
  std::int64_t decisions = 0;
  std::int64_t only_a = 0, only_b = 0;  // right by one of the two alone
  McNemar test;
  bool anti_conservative = false;
};
// Throws Error(input) naming a decision that one side lacks or whose gold strategies differ.
DecisionComparison compare_decisions(std::span<const Prediction> a, std::span<const Prediction> b);

// Training seeds that both settings share, compared seed by seed: apart from sampling error.
struct SeedComparison {
  SeedSummary differences;         // of a - b; n is the number of shared seeds
  std::optional<double> p;         // exact sign flips; nothing below two seeds
  std::vector<std::string> seeds;  // the shared ones
};
// Value by seed. Throws Error(input) above 24 shared seeds.
SeedComparison compare_seeds(const std::map<std::string, double>& a,
                             const std::map<std::string, double>& b);

extern template std::vector<PairedDifference> paired_differences<CountMatrix>(
    std::span<const CountMatrix>, std::span<const CountMatrix>, const std::vector<std::string>&,
    const ScoreAll<CountMatrix>&, const CountMatrix&, const PairedOptions&);
extern template std::vector<PairedDifference> paired_differences<ResponseSums>(
    std::span<const ResponseSums>, std::span<const ResponseSums>, const std::vector<std::string>&,
    const ScoreAll<ResponseSums>&, const ResponseSums&, const PairedOptions&);
extern template std::vector<PairedDifference> paired_differences<MeanSums>(
    std::span<const MeanSums>, std::span<const MeanSums>, const std::vector<std::string>&,
    const ScoreAll<MeanSums>&, const MeanSums&, const PairedOptions&);

}  // namespace straq::metrics
