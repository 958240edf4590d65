#include "metrics/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

void require_clusters(std::size_t clusters, int replicates) {
  if (clusters == 0) fail_input("there are no dialogues to resample", "check the split");
  if (clusters > std::numeric_limits<std::uint32_t>::max()) {
    fail_input("too many dialogues to resample", "split the data");
  }
  if (replicates < 1) {
    fail_input("at least one bootstrap replicate is needed", "ask for 1,000 or more");
  }
}

// Calls use(drawn) for every replicate.
template <class Use>
void for_each_draw(std::size_t clusters, const BootstrapOptions& options, Use&& use) {
  require_clusters(clusters, options.replicates);
  std::mt19937_64 random(options.seed);
  std::vector<std::uint32_t> drawn(clusters);
  const auto n = static_cast<std::uint32_t>(clusters);
  for (int r = 0; r < options.replicates; ++r) {
    for (auto& d : drawn) d = index_below(random(), n);
    use(std::span<const std::uint32_t>(drawn));
  }
}

// Differences that are equal on paper may differ in the last bits: count those as equal.
bool at_least_as_far(double a, double observed) {
  return std::abs(a) >= std::abs(observed) - 1e-12 * std::max(1.0, std::abs(observed));
}

// Regularised incomplete beta function by Lentz's continued fraction.
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) -
                                std::lgamma(a) - std::lgamma(b)) /
                       a;
  constexpr double kTiny = 1e-300;
  double f = 1, c = 1, d = 0;
  for (int i = 0; i < 1000; ++i) {
    const int m = i / 2;
    double term = 1;
    if (i > 0) {
      term = i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                        : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    }
    d = 1 + term * d;
    if (std::abs(d) < kTiny) d = kTiny;
    d = 1 / d;
    c = 1 + term / c;
    if (std::abs(c) < kTiny) c = kTiny;
    f *= c * d;
    if (i > 0 && std::abs(1 - c * d) < 1e-15) break;
  }
  return front * (f - 1);
}

double student_t_cdf(double t, double degrees) {
  const double tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
  return t > 0 ? 1 - tail : tail;
}

// Root of an increasing function by bisection to the last bit.
template <class F>
double bisect(double low, double high, F&& f) {
  for (int i = 0; i < 2000 && low < high; ++i) {
    const double mid = low + (high - low) / 2;
    if (mid == low || mid == high) break;
    (f(mid) < 0 ? low : high) = mid;
  }
  return low + (high - low) / 2;
}

std::vector<double> mean_ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j + 1 < order.size() && x[order[j + 1]] == x[order[i]]) ++j;
    for (std::size_t t = i; t <= j; ++t) rank[order[t]] = 0.5 * static_cast<double>(i + j) + 1;
    i = j + 1;
  }
  return rank;
}

// An interval as a list of two numbers; null: there is none.
void interval(JsonFields& f, const std::string& key, std::optional<Interval>& x) {
  if (f.reading()) f.at(key);
  std::optional<std::vector<double>> pair;
  if (x) pair = {x->low, x->high};
  f.or_null(key, pair);
  if (pair && pair->size() != 2) f.fail(key, "must have 2 items");
  if (pair) x = {(*pair)[0], (*pair)[1]};
}

}  // namespace

double quantile(std::span<const double> sorted, double p) {
  const double h = static_cast<double>(sorted.size() - 1) * p;
  const auto below = static_cast<std::size_t>(std::floor(h));
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (h - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

std::vector<double> cluster_bootstrap(
    std::size_t clusters, const BootstrapOptions& options,
    const std::function<double(std::span<const std::uint32_t>)>& statistic) {
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(std::max(options.replicates, 0)));
  for_each_draw(clusters, options, [&](auto drawn) { out.push_back(statistic(drawn)); });
  return out;
}

Interval percentile_interval(std::vector<double> replicates, double level) {
  std::sort(replicates.begin(), replicates.end());
  const double tail = (1 - level) / 2;
  return {quantile(replicates, tail), quantile(replicates, 1 - tail)};
}

StrategyIntervals bootstrap_strategy(std::span<const CountMatrix> by_dialogue,
                                     const BootstrapOptions& options, MacroLabels macro) {
  StrategyIntervals out;
  out.replicates = options.replicates;
  out.seed = options.seed;
  out.level = options.level;
  out.clusters = static_cast<std::int64_t>(by_dialogue.size());
  require_clusters(by_dialogue.size(), options.replicates);
  if (by_dialogue.size() < 2) return out;
  const auto metrics = strategy_metrics();
  std::vector<std::vector<double>> replicates(metrics.size());
  CountMatrix sum(by_dialogue[0].k);
  for_each_draw(by_dialogue.size(), options, [&](auto drawn) {
    std::fill(sum.cells.begin(), sum.cells.end(), 0);
    for (std::uint32_t d : drawn) sum += by_dialogue[d];
    const StrategyScores s = strategy_scores(sum, macro);
    for (std::size_t i = 0; i < metrics.size(); ++i) replicates[i].push_back(s.*metrics[i].score);
  });
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (metrics[i].interval == nullptr) continue;
    out.*metrics[i].interval = percentile_interval(std::move(replicates[i]), options.level);
  }
  return out;
}

PermutationTest exact_permutation(std::size_t clusters, const SwappedDifference& difference) {
  if (clusters > 24) {
    fail_input("an exact permutation test of " + std::to_string(clusters) +
                   " dialogues has too many arrangements",
               "use the random permutation test");
  }
  std::vector<std::uint8_t> swapped(clusters, 0);
  PermutationTest t;
  t.difference = difference(swapped);
  t.of = std::int64_t{1} << clusters;
  for (std::int64_t mask = 0; mask < t.of; ++mask) {
    for (std::size_t i = 0; i < clusters; ++i) swapped[i] = (mask >> i) & 1;
    t.count += at_least_as_far(difference(swapped), t.difference);
  }
  t.p = static_cast<double>(t.count) / static_cast<double>(t.of);
  return t;
}

PermutationTest random_permutation(std::size_t clusters, const SwappedDifference& difference,
                                   int replicates, std::uint64_t seed) {
  require_clusters(clusters, replicates);
  std::vector<std::uint8_t> swapped(clusters, 0);
  PermutationTest t;
  t.difference = difference(swapped);
  t.of = replicates;
  std::mt19937_64 random(seed);
  for (int r = 0; r < replicates; ++r) {
    for (auto& s : swapped) s = (random() >> 63) == 0;
    t.count += at_least_as_far(difference(swapped), t.difference);
  }
  t.p = static_cast<double>(1 + t.count) / static_cast<double>(replicates + 1);
  return t;
}

PermutationTest exact_sign_flip(std::span<const double> differences) {
  const auto n = static_cast<double>(differences.size());
  return exact_permutation(differences.size(), [&](std::span<const std::uint8_t> flipped) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      sum += flipped[i] ? -differences[i] : differences[i];
    }
    return sum / n;
  });
}

McNemar mcnemar(std::int64_t b, std::int64_t c) {
  McNemar out;
  const std::int64_t n = b + c;
  if (n == 0) return out;
  const std::int64_t least = std::min(b, c);
  auto log_mass = [&](std::int64_t i) {
    const auto x = static_cast<double>(i), m = static_cast<double>(n);
    return std::lgamma(m + 1) - std::lgamma(x + 1) - std::lgamma(m - x + 1) - m * std::log(2.0);
  };
  double tail = 0;
  for (std::int64_t i = 0; i <= least; ++i) tail += std::exp(log_mass(i));
  out.exact = std::min(1.0, 2 * tail);
  out.mid_p = std::min(1.0, 2 * tail - std::exp(log_mass(least)));
  const double gap = std::max(0.0, std::abs(static_cast<double>(b - c)) - 1);
  out.chi2 = gap * gap / static_cast<double>(n);
  out.chi2_p = std::erfc(std::sqrt(out.chi2 / 2));
  return out;
}

Interval wilson(std::int64_t hits, std::int64_t n, double level) {
  if (n <= 0) return {0, 1};
  const double z = normal_quantile(0.5 + level / 2);
  const auto m = static_cast<double>(n);
  const double p = static_cast<double>(hits) / m;
  const double centre = p + z * z / (2 * m);
  const double half = z * std::sqrt(p * (1 - p) / m + z * z / (4 * m * m));
  const double scale = 1 + z * z / m;
  return {(centre - half) / scale, (centre + half) / scale};
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double running = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    running = std::max(running, static_cast<double>(p.size() - i) * p[order[i]]);
    out[order[i]] = std::min(1.0, running);
  }
  return out;
}

SeedSummary summarise_seeds(std::span<const double> values, double level) {
  SeedSummary s;
  s.n = static_cast<int>(values.size());
  if (values.empty()) return s;
  for (double v : values) s.mean += v;
  s.mean /= s.n;
  if (s.n < 2) return s;
  double squares = 0;
  for (double v : values) squares += (v - s.mean) * (v - s.mean);
  s.sd = std::sqrt(squares / (s.n - 1));
  s.half_width = student_t_quantile(0.5 + level / 2, s.n - 1) * s.sd / std::sqrt(s.n);
  return s;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size() || x.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const auto a = mean_ranks(x), b = mean_ranks(y);
  const double mean = 0.5 * (static_cast<double>(x.size()) + 1);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean) * (b[i] - mean);
    aa += (a[i] - mean) * (a[i] - mean);
    bb += (b[i] - mean) * (b[i] - mean);
  }
  if (aa == 0 || bb == 0) return std::numeric_limits<double>::quiet_NaN();
  return ab / std::sqrt(aa * bb);
}

double normal_quantile(double p) {
  return bisect(-40.0, 40.0, [&](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)) - p; });
}

double student_t_quantile(double p, double degrees) {
  return bisect(-1e9, 1e9, [&](double t) { return student_t_cdf(t, degrees) - p; });
}

void BootstrapOptions::fields(JsonFields& f) {
  f("replicates", replicates);
  f("seed", seed);
  f("level", level);
}

void StrategyIntervals::fields(JsonFields& f) {
  const auto each = [&](auto&& work) {
    for (const auto& m : strategy_metrics()) {
      if (m.interval != nullptr) work(m, this->*m.interval);
    }
  };
  each([&](const auto& m, auto& x) { interval(f, key_in(f, m), x); });
  f("level", level);
  f("replicates", replicates);
  f("seed", seed);
  f("dialogues", clusters);
  // Earlier versions wrote an interval of width 0 where there is one dialogue.
  if (f.reading() && clusters <= 1) each([](const auto&, auto& x) { x = std::nullopt; });
}

}  // namespace straq::metrics
