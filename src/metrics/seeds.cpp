#include "metrics/seeds.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace straq::metrics {
namespace {

// Numbers of one side: [seed][metric].
using SeedScores = std::vector<std::vector<double>>;

// Below this number of dialogues all exchanges are fewer than the random ones would be.
constexpr std::size_t kMostExactSeeded = 13;

double sample_variance(const std::vector<double>& x) {
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  return x.size() < 2 ? 0 : squares / static_cast<double>(x.size() - 1);
}

double mean_of(const SeedScores& scores, std::size_t metric) {
  double sum = 0;
  for (const auto& seed : scores) sum += seed[metric];
  return sum / static_cast<double>(scores.size());
}

template <class Sums>
class Seeded {
 public:
  Seeded(const std::vector<std::vector<Sums>>& a, const std::vector<std::vector<Sums>>& b,
         std::size_t metrics, const ScoreAll<Sums>& score, const Sums& nothing)
      : a_(a), b_(b), score_(score), nothing_(nothing), metrics_(metrics) {}

  std::size_t dialogues() const { return a_.front().size(); }

  // Of the dialogues that `drawn` names, with repetitions.
  SeedScores of_drawn(const std::vector<std::vector<Sums>>& side,
                      std::span<const std::uint32_t> drawn) const {
    return scores(side.size(), [&](std::size_t seed, Sums& sums) {
      for (const std::uint32_t d : drawn) sums += side[seed][d];
    });
  }
  // Of one side with the other's sums in the dialogues where `swapped` is not 0.
  SeedScores of_swapped(bool first, const std::vector<std::uint8_t>& swapped) const {
    return scores(a_.size(), [&](std::size_t seed, Sums& sums) {
      for (std::size_t d = 0; d < dialogues(); ++d) {
        sums += (swapped[d] != 0) == first ? b_[seed][d] : a_[seed][d];
      }
    });
  }
  const std::vector<std::vector<Sums>>& a() const { return a_; }
  const std::vector<std::vector<Sums>>& b() const { return b_; }
  std::size_t metrics() const { return metrics_; }

 private:
  template <class Add>
  SeedScores scores(std::size_t seeds, Add add) const {
    SeedScores out;
    for (std::size_t s = 0; s < seeds; ++s) {
      Sums sums = nothing_;
      add(s, sums);
      out.emplace_back(metrics_);
      score_(sums, out.back());
    }
    return out;
  }

  const std::vector<std::vector<Sums>>& a_;
  const std::vector<std::vector<Sums>>& b_;
  const ScoreAll<Sums>& score_;
  const Sums& nothing_;
  std::size_t metrics_;
};

// Replicates of every metric's difference: [metric][replicate].
struct Replicates {
  std::vector<std::vector<double>> dialogues, both;
};

template <class Sums>
Replicates replicates_of(const Seeded<Sums>& data, const SeededOptions& options, bool over_seeds) {
  Replicates out;
  out.dialogues.resize(data.metrics());
  out.both.resize(data.metrics());
  std::mt19937_64 random(options.bootstrap.seed + 1);
  const auto draw = [&](std::size_t seeds) {
    std::vector<std::size_t> drawn;
    for (std::size_t i = 0; i + 1 < seeds; ++i) {
      drawn.push_back(index_below(random(), static_cast<std::uint32_t>(seeds)));
    }
    return drawn;
  };
  const auto mean_over = [](const SeedScores& scores, const std::vector<std::size_t>& seeds,
                            std::size_t metric) {
    double sum = 0;
    for (const std::size_t s : seeds) sum += scores[s][metric];
    return sum / static_cast<double>(seeds.size());
  };
  cluster_bootstrap(data.dialogues(), options.bootstrap, [&](std::span<const std::uint32_t> drawn) {
    const SeedScores a = data.of_drawn(data.a(), drawn), b = data.of_drawn(data.b(), drawn);
    std::vector<std::size_t> seeds_a, seeds_b;
    if (over_seeds) {
      seeds_a = draw(a.size());
      seeds_b = options.shared_seeds ? seeds_a : draw(b.size());
    }
    for (std::size_t m = 0; m < data.metrics(); ++m) {
      out.dialogues[m].push_back(mean_of(a, m) - mean_of(b, m));
      if (over_seeds) {
        out.both[m].push_back(mean_over(a, seeds_a, m) - mean_over(b, seeds_b, m));
      }
    }
    return 0.0;
  });
  return out;
}

// Exchanges the settings in whole dialogues; the share of arrangements as far from 0 as observed.
template <class Sums>
void exchange_test(const Seeded<Sums>& data, int permutations, std::uint64_t seed,
                   std::vector<SeededDifference>& out) {
  const std::size_t n = data.dialogues();
  const bool exact =
      n <= kMostExactSeeded && (std::int64_t{1} << n) <= std::max(permutations, 1) + 1;
  const std::int64_t arrangements = exact ? std::int64_t{1} << n : permutations;
  std::vector<std::int64_t> count(out.size(), 0);
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> swapped(n);
  for (std::int64_t r = 0; r < arrangements; ++r) {
    for (std::size_t d = 0; d < n; ++d) {
      swapped[d] = exact ? (r >> d) & 1 : (random() >> 63) == 0;
    }
    const SeedScores a = data.of_swapped(true, swapped), b = data.of_swapped(false, swapped);
    for (std::size_t m = 0; m < out.size(); ++m) {
      const double observed = std::abs(out[m].difference);
      // The observed arrangement itself must count in spite of rounding.
      count[m] +=
          std::abs(mean_of(a, m) - mean_of(b, m)) >= observed - 1e-12 * std::max(1.0, observed);
    }
  }
  for (std::size_t m = 0; m < out.size(); ++m) {
    const auto c = static_cast<double>(count[m]), of = static_cast<double>(arrangements);
    out[m].p = exact ? c / of : (1 + c) / (of + 1);
  }
}

// Twice the share of replicates on the other side of 0, which counts for both.
double tail_p(const std::vector<double>& replicates) {
  std::int64_t low = 1, high = 1;
  for (const double x : replicates) {
    low += x <= 0;
    high += x >= 0;
  }
  const double share =
      static_cast<double>(std::min(low, high)) / static_cast<double>(replicates.size() + 1);
  return std::min(1.0, 2 * share);
}

// Interval and p from the replicates over dialogues and seeds.
void t_test(const std::vector<double>& over_dialogues, const std::vector<double>& over_both,
            std::size_t fewest_seeds, double level, SeededDifference& d) {
  const double both = sample_variance(over_both), alone = sample_variance(over_dialogues);
  const double seeds = std::max(0.0, both - alone);
  d.standard_error = std::sqrt(both);
  if (both <= 0) {  // no draw differs from another
    d.interval = Interval{d.difference, d.difference};
    d.p = d.difference == 0 ? 1 : 0;
    return;
  }
  d.degrees = both * both /
              (seeds * seeds / static_cast<double>(fewest_seeds - 1) +
               alone * alone / static_cast<double>(d.dialogues - 1));
  const double half = student_t_quantile(0.5 + level / 2, d.degrees) * d.standard_error;
  d.interval = Interval{d.difference - half, d.difference + half};
  d.p = student_t_p(d.difference / d.standard_error, d.degrees);
}

}  // namespace

template <class Sums>
std::vector<SeededDifference> seeded_differences(const std::vector<std::vector<Sums>>& a,
                                                 const std::vector<std::vector<Sums>>& b,
                                                 const std::vector<std::string>& metrics,
                                                 const ScoreAll<Sums>& score, const Sums& nothing,
                                                 const SeededOptions& options) {
  const auto fits = [&](const auto& side) {
    return !side.empty() && std::all_of(side.begin(), side.end(), [&](const auto& seed) {
      return !seed.empty() && seed.size() == a.front().size();
    });
  };
  if (a.empty() || !fits(a) || !fits(b) || (options.shared_seeds && a.size() != b.size())) {
    fail_input("cannot compare two settings whose seeds are not on the same dialogues",
               "a comparison needs the same dialogues of every seed, one at least");
  }
  const Seeded<Sums> data(a, b, metrics.size(), score, nothing);
  const std::size_t fewest = std::min(a.size(), b.size());
  std::vector<std::uint32_t> all(data.dialogues());
  for (std::size_t d = 0; d < all.size(); ++d) all[d] = static_cast<std::uint32_t>(d);
  const SeedScores score_a = data.of_drawn(a, all), score_b = data.of_drawn(b, all);
  std::vector<SeededDifference> out(metrics.size());
  for (std::size_t m = 0; m < out.size(); ++m) {
    SeededDifference& d = out[m];
    d.metric = metrics[m];
    d.a = mean_of(score_a, m);
    d.b = mean_of(score_b, m);
    d.difference = d.a - d.b;
    d.dialogues = static_cast<std::int64_t>(all.size());
    d.over_seeds = all.size() > 1 && fewest >= static_cast<std::size_t>(kFewestSeeds);
  }
  // One dialogue says nothing of how dialogues differ.
  if (all.size() < 2 || out.empty()) return out;
  const bool over_seeds = out.front().over_seeds;
  Replicates replicates = replicates_of(data, options, over_seeds);
  const bool exchange = !over_seeds && a.size() == b.size();
  if (exchange) exchange_test(data, options.permutations, options.bootstrap.seed, out);
  for (std::size_t m = 0; m < out.size(); ++m) {
    if (over_seeds) {
      t_test(replicates.dialogues[m], replicates.both[m], fewest, options.bootstrap.level, out[m]);
      continue;
    }
    if (!exchange) out[m].p = tail_p(replicates.dialogues[m]);
    out[m].standard_error = std::sqrt(sample_variance(replicates.dialogues[m]));
    out[m].interval =
        percentile_interval(std::move(replicates.dialogues[m]), options.bootstrap.level);
  }
  return out;
}

template std::vector<SeededDifference> seeded_differences<CountMatrix>(
    const std::vector<std::vector<CountMatrix>>&, const std::vector<std::vector<CountMatrix>>&,
    const std::vector<std::string>&, const ScoreAll<CountMatrix>&, const CountMatrix&,
    const SeededOptions&);
template std::vector<SeededDifference> seeded_differences<ResponseSums>(
    const std::vector<std::vector<ResponseSums>>&, const std::vector<std::vector<ResponseSums>>&,
    const std::vector<std::string>&, const ScoreAll<ResponseSums>&, const ResponseSums&,
    const SeededOptions&);
template std::vector<SeededDifference> seeded_differences<MeanSums>(
    const std::vector<std::vector<MeanSums>>&, const std::vector<std::vector<MeanSums>>&,
    const std::vector<std::string>&, const ScoreAll<MeanSums>&, const MeanSums&,
    const SeededOptions&);

std::optional<double> seeds_p(const std::map<std::string, double>& a,
                              const std::map<std::string, double>& b) {
  const auto few = [](const auto& side) { return side.size() < std::size_t{kFewestSeeds}; };
  if (few(a) || few(b)) return std::nullopt;
  const auto values = [](const auto& side) {
    std::vector<double> out;
    for (const auto& [seed, value] : side) out.push_back(value);
    return out;
  };
  const std::vector<double> x = values(a), y = values(b);
  const bool shared = std::equal(a.begin(), a.end(), b.begin(), b.end(),
                                 [](const auto& s, const auto& t) { return s.first == t.first; });
  double difference = 0, variance = 0, degrees = 0;
  if (shared) {
    std::vector<double> d;
    for (std::size_t i = 0; i < x.size(); ++i) d.push_back(x[i] - y[i]);
    difference = summarise_seeds(d).mean;
    variance = sample_variance(d) / static_cast<double>(d.size());
    degrees = static_cast<double>(d.size() - 1);
  } else {
    const double of_x = sample_variance(x) / static_cast<double>(x.size());
    const double of_y = sample_variance(y) / static_cast<double>(y.size());
    difference = summarise_seeds(x).mean - summarise_seeds(y).mean;
    variance = of_x + of_y;
    if (variance > 0) {
      degrees = variance * variance /
                (of_x * of_x / static_cast<double>(x.size() - 1) +
                 of_y * of_y / static_cast<double>(y.size() - 1));
    }
  }
  if (variance <= 0) return difference == 0 ? 1 : 0;
  return student_t_p(difference / std::sqrt(variance), degrees);
}

double student_t_p(double t, double degrees) {
  const double far = std::abs(t);
  if (far == 0) return 1;
  // The quantile falls as p grows.
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double p = 0.5 * (low + high);
    (student_t_quantile(1 - p / 2, degrees) > far ? low : high) = p;
  }
  return 0.5 * (low + high);
}

}  // namespace straq::metrics
