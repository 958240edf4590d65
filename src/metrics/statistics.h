// Uncertainty of the numbers in a table. Decisions of one dialogue are not independent (about
// twelve share one), so everything here resamples whole dialogues; an interval from single
// decisions would be too narrow by about a third.
//
// Random numbers come from std::mt19937_64, whose output the C++ standard fixes, and an index below
// n is the high half of the 128-bit product x * n: the same seed gives the same interval anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "metrics/strategy_metrics.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  int replicates = 10000;
  std::uint64_t seed = 42;
  double level = 0.95;
  void fields(JsonFields& f);
};

// Index below n from 64 random bits.
inline std::uint32_t index_below(std::uint64_t x, std::uint32_t n) {
  return static_cast<std::uint32_t>((static_cast<unsigned __int128>(x) * n) >> 64);
}

// Quantile by linear interpolation at h = (R - 1) p (type 7 of Hyndman and Fan) of `sorted`,
// which must be ascending and not empty.
double quantile(std::span<const double> sorted, double p);

// Cluster bootstrap: each replicate draws `clusters` cluster indices with replacement, in order,
// from one generator, and `statistic` turns them into a number. Returns the replicates unsorted.
std::vector<double> cluster_bootstrap(
    std::size_t clusters, const BootstrapOptions& options,
    const std::function<double(std::span<const std::uint32_t>)>& statistic);

// Equal-tailed percentile interval.
Interval percentile_interval(std::vector<double> replicates, double level = 0.95);

// Intervals of Acc, macro-F1 and B by dialogue. B's bootstrap mean is biased upward: show the point
// estimate with this interval, never the mean of the replicates. Below two dialogues there is none:
// one dialogue says nothing of how dialogues differ.
struct StrategyIntervals {
  std::optional<Interval> acc, macro_f1, bias;
  int replicates = 0;
  std::uint64_t seed = 0;
  double level = 0.95;
  std::int64_t clusters = 0;  // dialogues
  void fields(JsonFields& f);
};
StrategyIntervals bootstrap_strategy(std::span<const CountMatrix> by_dialogue,
                                     const BootstrapOptions& options,
                                     MacroLabels macro = MacroLabels::all);

// Intervals of one strategy's own numbers: fractions, and p with mean 1
// (report/rows/strategy_intervals.h).
struct StrategyInterval {
  std::optional<Interval> recall, f1, preference;
};

// Paired randomisation of two systems by cluster. `difference(swapped)` is the metric's difference
// with the two systems exchanged in the clusters marked 1.
using SwappedDifference = std::function<double(std::span<const std::uint8_t>)>;
struct PermutationTest {
  double difference = 0;   // with nothing swapped
  double p = 1;            // two-sided
  std::int64_t count = 0;  // arrangements at least as far from 0 as observed
  std::int64_t of = 0;     // arrangements looked at
};
// All 2^clusters arrangements; throws Error(input) above 24 clusters.
PermutationTest exact_permutation(std::size_t clusters, const SwappedDifference& difference);
// `replicates` random ones; p = (1 + count) / (replicates + 1). A cluster is swapped unless the top
// bit of its draw is set.
PermutationTest random_permutation(std::size_t clusters, const SwappedDifference& difference,
                                   int replicates = 9999, std::uint64_t seed = 42);
// Exact sign-flip test that the mean of paired differences is 0.
PermutationTest exact_sign_flip(std::span<const double> differences);

// McNemar's test on the two kinds of discordant decisions. It treats decisions as independent and
// so is anti-conservative here: an extra beside random_permutation.
struct McNemar {
  double exact = 1;  // two-sided binomial
  double mid_p = 1;
  double chi2 = 0, chi2_p = 1;  // with continuity correction
};
McNemar mcnemar(std::int64_t only_a_correct, std::int64_t only_b_correct);

// Wilson's score interval of a proportion. Sample-level, as mcnemar.
Interval wilson(std::int64_t hits, std::int64_t n, double level = 0.95);

// Holm's step-down adjustment of a family of p-values, in the order given.
std::vector<double> holm(std::span<const double> p);

// Training seeds: mean, sample standard deviation (n - 1) and half the t interval. Seed spread is
// another thing than sampling error and is never pooled with it.
struct SeedSummary {
  int n = 0;
  double mean = 0;
  double sd = 0;          // 0 with one seed
  double half_width = 0;  // of the t interval; 0 with one seed
};
SeedSummary summarise_seeds(std::span<const double> values, double level = 0.95);

// Spearman's rank correlation with mean ranks for ties; NaN when either side is constant or there
// are fewer than two pairs.
double spearman(std::span<const double> x, std::span<const double> y);

// Quantiles of the standard normal and of Student's t, 0 < p < 1.
double normal_quantile(double p);
double student_t_quantile(double p, double degrees);

}  // namespace straq::metrics
