#include "metrics/raters/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "core/error.h"

namespace straq::metrics {
namespace {

constexpr int kLow = 1, kHigh = 5;

std::optional<double> mean_of(const std::vector<std::optional<double>>& people) {
  double sum = 0;
  int n = 0;
  for (const auto& x : people) {
    if (!x) continue;
    sum += *x;
    ++n;
  }
  return n == 0 ? std::nullopt : std::optional(sum / n);
}

int whole(double score) {
  return std::clamp(static_cast<int>(std::lround(score)), kLow, kHigh);
}

// Adds up what pairs of raters agree on.
class PairMeans {
 public:
  void add(const std::vector<double>& a, const std::vector<double>& b,
           const std::vector<int>& whole_a, const std::vector<int>& whole_b) {
    constexpr std::size_t kFewest = 3;
    if (a.size() < kFewest) return;
    ++pairs_;
    if (const double rho = spearman(a, b); std::isfinite(rho)) {
      rho_.push_back(rho);
    }
    if (const auto kappa = quadratic_kappa(whole_a, whole_b, kLow, kHigh)) {
      kappa_.push_back(*kappa);
    }
  }
  PairAgreement result() const {
    const auto mean = [](const std::vector<double>& x) -> std::optional<double> {
      if (x.empty()) return std::nullopt;
      return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    };
    return {mean(rho_), mean(kappa_), pairs_};
  }

 private:
  std::vector<double> rho_, kappa_;
  std::int64_t pairs_ = 0;
};

struct Sides {
  std::vector<double> a, b;
  std::vector<int> whole_a, whole_b;
  void add(double x, int whole_x, double y, int whole_y) {
    a.push_back(x);
    b.push_back(y);
    whole_a.push_back(whole_x);
    whole_b.push_back(whole_y);
  }
};

void agree(std::span<const JudgedUnit> units, std::size_t raters, Calibration& out) {
  PairMeans with_judge, among;
  for (std::size_t r = 0; r < raters; ++r) {
    Sides sides;
    for (const auto& u : units) {
      const auto& x = u.people[r];
      if (x) sides.add(u.judge, u.integer, *x, whole(*x));
    }
    with_judge.add(sides.a, sides.b, sides.whole_a, sides.whole_b);
    for (std::size_t q = r + 1; q < raters; ++q) {
      Sides pair;
      for (const auto& u : units) {
        if (u.people[r] && u.people[q]) {
          pair.add(*u.people[r], whole(*u.people[r]), *u.people[q], whole(*u.people[q]));
        }
      }
      among.add(pair.a, pair.b, pair.whole_a, pair.whole_b);
    }
  }
  out.judge_people = with_judge.result();
  out.people_people = among.result();
}

// The fold of each unit: whole dialogues, in an order drawn by the seed.
std::vector<int> folds_of(std::span<const JudgedUnit> units, std::size_t dialogues,
                          const std::vector<std::size_t>& dialogue,
                          const CalibrationOptions& options) {
  std::vector<std::size_t> order(dialogues);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(options.seed);
  for (std::size_t i = dialogues; i > 1; --i) {
    std::swap(order[i - 1], order[index_below(random(), static_cast<std::uint32_t>(i))]);
  }
  const std::size_t folds = std::min<std::size_t>(dialogues, std::max(2, options.folds));
  std::vector<int> fold(dialogues);
  for (std::size_t i = 0; i < dialogues; ++i) fold[order[i]] = static_cast<int>(i % folds);
  std::vector<int> out;
  for (std::size_t u = 0; u < units.size(); ++u) out.push_back(fold[dialogue[u]]);
  return out;
}

struct HeldOut {
  std::vector<double> constant, isotonic;  // predictions by unit
};

HeldOut held_out(std::span<const JudgedUnit> units, const std::vector<double>& truth,
                 const std::vector<int>& fold) {
  HeldOut out{std::vector<double>(units.size()), std::vector<double>(units.size())};
  const int last = *std::max_element(fold.begin(), fold.end());
  for (int f = 0; f <= last; ++f) {
    std::vector<double> x, y;
    for (std::size_t u = 0; u < units.size(); ++u) {
      if (fold[u] == f) continue;
      x.push_back(units[u].judge);
      y.push_back(truth[u]);
    }
    const double mean = std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(y.size());
    const IsotonicFit fit(x, y);
    for (std::size_t u = 0; u < units.size(); ++u) {
      if (fold[u] != f) continue;
      out.constant[u] = mean;
      out.isotonic[u] = fit(units[u].judge);
    }
  }
  return out;
}

}  // namespace

IsotonicFit::IsotonicFit(std::span<const double> x, std::span<const double> y) {
  if (x.empty() || x.size() != y.size()) {
    fail_input("isotonic regression needs as many x as y, and one at least");
  }
  std::map<double, std::pair<double, double>> points;  // x -> sum of y, number
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto& p = points[x[i]];
    p.first += y[i];
    p.second += 1;
  }
  struct Block {
    double sum, weight;
    std::size_t points;
    double mean() const { return sum / weight; }
  };
  std::vector<Block> blocks;
  for (const auto& [at, p] : points) {
    x_.push_back(at);
    blocks.push_back({p.first, p.second, 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() >= blocks.back().mean()) {
      const Block top = blocks.back();
      blocks.pop_back();
      blocks.back().sum += top.sum;
      blocks.back().weight += top.weight;
      blocks.back().points += top.points;
    }
  }
  for (const auto& b : blocks) y_.insert(y_.end(), b.points, b.mean());
}

double IsotonicFit::operator()(double x) const {
  const auto above = std::upper_bound(x_.begin(), x_.end(), x);
  if (above == x_.begin()) return y_.front();
  if (above == x_.end()) return y_.back();
  const auto i = static_cast<std::size_t>(above - x_.begin());
  const double share = (x - x_[i - 1]) / (x_[i] - x_[i - 1]);
  return y_[i - 1] + share * (y_[i] - y_[i - 1]);
}

std::optional<double> quadratic_kappa(std::span<const int> a, std::span<const int> b, int low,
                                      int high) {
  if (a.size() != b.size()) fail_input("kappa needs as many scores of both raters");
  if (a.empty()) return std::nullopt;
  const auto levels = static_cast<std::size_t>(high - low + 1);
  std::vector<double> first(levels), second(levels);
  double observed = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] < low || a[i] > high || b[i] < low || b[i] > high) {
      fail_input("a score for kappa is outside " + std::to_string(low) + " to " +
                 std::to_string(high));
    }
    first[static_cast<std::size_t>(a[i] - low)] += 1;
    second[static_cast<std::size_t>(b[i] - low)] += 1;
    observed += static_cast<double>(a[i] - b[i]) * (a[i] - b[i]);
  }
  const auto n = static_cast<double>(a.size());
  double chance = 0;
  for (std::size_t i = 0; i < levels; ++i) {
    for (std::size_t j = 0; j < levels; ++j) {
      const double d = static_cast<double>(i) - static_cast<double>(j);
      chance += first[i] * second[j] * d * d / n;
    }
  }
  if (chance == 0) return std::nullopt;
  return 1 - observed / chance;
}

std::optional<Calibration> calibrate(std::span<const JudgedUnit> all,
                                     const CalibrationOptions& options) {
  std::vector<JudgedUnit> units;
  std::vector<double> truth, judge;
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> dialogue;
  Calibration out;
  std::size_t raters = 0;
  for (const auto& u : all) {
    const auto mean = mean_of(u.people);
    if (!mean) continue;
    raters = std::max(raters, u.people.size());
    for (const auto& x : u.people) out.ratings += x.has_value();
    dialogue.push_back(numbers.emplace(u.dialogue, numbers.size()).first->second);
    truth.push_back(*mean);
    judge.push_back(u.judge);
    units.push_back(u);
  }
  if (numbers.size() < 2) return std::nullopt;
  for (auto& u : units) u.people.resize(raters);
  out.units = static_cast<std::int64_t>(units.size());
  out.raters = static_cast<std::int64_t>(raters);
  const auto n = static_cast<double>(units.size());
  out.people_mean = std::accumulate(truth.begin(), truth.end(), 0.0) / n;
  out.judge_mean = std::accumulate(judge.begin(), judge.end(), 0.0) / n;
  if (const double rho = spearman(judge, truth); std::isfinite(rho)) out.spearman = rho;
  agree(units, raters, out);
  const auto fold = folds_of(units, numbers.size(), dialogue, options);
  const HeldOut predicted = held_out(units, truth, fold);
  struct Sum {
    double gain = 0, n = 0;
  };
  std::vector<Sum> sums(numbers.size());
  for (std::size_t u = 0; u < units.size(); ++u) {
    const double c = predicted.constant[u] - truth[u], r = judge[u] - truth[u],
                 i = predicted.isotonic[u] - truth[u];
    out.constant_mae += std::abs(c) / n;
    out.raw_mae += std::abs(r) / n;
    out.isotonic_mae += std::abs(i) / n;
    out.constant_rmse += c * c / n;
    out.raw_rmse += r * r / n;
    out.isotonic_rmse += i * i / n;
    sums[dialogue[u]].gain += c * c - i * i;
    sums[dialogue[u]].n += 1;
  }
  for (double* x : {&out.constant_rmse, &out.raw_rmse, &out.isotonic_rmse}) *x = std::sqrt(*x);
  const auto gain_of = [&](std::span<const std::uint32_t> drawn) {
    Sum s;
    for (const auto d : drawn) {
      s.gain += sums[d].gain;
      s.n += sums[d].n;
    }
    return s.gain / s.n;
  };
  std::vector<std::uint32_t> each(sums.size());
  std::iota(each.begin(), each.end(), 0U);
  out.gain = gain_of(each);
  BootstrapOptions b;
  b.replicates = options.replicates;
  b.seed = options.seed;
  out.gain_interval = percentile_interval(cluster_bootstrap(sums.size(), b, gain_of));
  return out;
}

double tie_rate(std::span<const int> scores) {
  if (scores.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  std::map<int, double> counts;
  for (const int s : scores) counts[s] += 1;
  double same = 0;
  for (const auto& [score, n] : counts) same += n * (n - 1);
  const auto n = static_cast<double>(scores.size());
  return same / (n * (n - 1));
}

}  // namespace straq::metrics
