#include "metrics/order/foresight.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

// Ranks from 1, mean ranks for ties.
std::vector<double> mean_ranks(const std::vector<double>& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> ranks(x.size());
  for (std::size_t i = 0, end = 0; i < order.size(); i = end) {
    for (end = i; end < order.size() && x[order[end]] == x[order[i]]; ++end) {
    }
    const double rank = (static_cast<double>(i + end) + 1) / 2;
    for (std::size_t k = i; k < end; ++k) ranks[order[k]] = rank;
  }
  return ranks;
}

// How often a low rating has the smaller value, and of how many pairs.
struct Pairs {
  double won = 0, of = 0;
};
Pairs pairs_of(const std::vector<double>& low, std::vector<double> high) {
  std::sort(high.begin(), high.end());
  Pairs out;
  for (const double x : low) {
    const auto [from, to] = std::equal_range(high.begin(), high.end(), x);
    out.won += static_cast<double>(high.end() - to) + 0.5 * static_cast<double>(to - from);
  }
  out.of = static_cast<double>(low.size()) * static_cast<double>(high.size());
  return out;
}

// What a dialogue adds to the scores within dialogues.
struct WithinSums {
  double xy = 0, xx = 0, yy = 0;  // of ranks less their mean: x ratings, y values
  Pairs pairs;

  WithinSums& operator+=(const WithinSums& o) {
    xy += o.xy, xx += o.xx, yy += o.yy;
    pairs.won += o.pairs.won, pairs.of += o.pairs.of;
    return *this;
  }
  double spearman() const { return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0; }
  double auc() const { return pairs.of > 0 ? pairs.won / pairs.of : 0.5; }
};

struct OfDialogue {
  std::vector<double> rating, value;
};

void split_by_rating(const OfDialogue& d, std::vector<double>& low, std::vector<double>& high) {
  for (std::size_t i = 0; i < d.rating.size(); ++i) {
    (d.rating[i] <= kLowRating ? low : high).push_back(d.value[i]);
  }
}

WithinSums sums_of_dialogue(const OfDialogue& d) {
  WithinSums s;
  const auto x = mean_ranks(d.rating), y = mean_ranks(d.value);
  const double mean = (static_cast<double>(x.size()) + 1) / 2;
  for (std::size_t i = 0; i < x.size(); ++i) {
    s.xy += (x[i] - mean) * (y[i] - mean);
    s.xx += (x[i] - mean) * (x[i] - mean);
    s.yy += (y[i] - mean) * (y[i] - mean);
  }
  std::vector<double> low, high;
  split_by_rating(d, low, high);
  s.pairs = pairs_of(low, std::move(high));
  return s;
}

template <class F>
std::optional<Interval> interval_of_sums(const std::vector<WithinSums>& dialogues,
                                         const BootstrapOptions& options, F&& score) {
  if (dialogues.size() < 2) return std::nullopt;
  return percentile_interval(cluster_bootstrap(dialogues.size(), options,
                                               [&](auto drawn) {
                                                 WithinSums s;
                                                 for (const auto d : drawn) s += dialogues[d];
                                                 return score(s);
                                               }),
                             options.level);
}

// What remains of a predictor when the turn's number is known: ratings rise in the course of a
// dialogue, and whatever grows with it foresees them. The partial correlation of the ranks within
// dialogues, (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)), z the number.
struct PartialSums {
  double xx = 0, yy = 0, zz = 0, xy = 0, xz = 0, yz = 0;

  PartialSums& operator+=(const PartialSums& o) {
    xx += o.xx, yy += o.yy, zz += o.zz, xy += o.xy, xz += o.xz, yz += o.yz;
    return *this;
  }
  double partial() const {
    if (xx <= 0 || yy <= 0 || zz <= 0) return 0;
    const double a = xy / std::sqrt(xx * yy), b = xz / std::sqrt(xx * zz),
                 c = yz / std::sqrt(yy * zz);
    const double left = (1 - b * b) * (1 - c * c);
    return left > 1e-12 ? (a - b * c) / std::sqrt(left) : 0;
  }
};

// `turns` beside `rows`: the numbers.
ForesightScores beyond_turn(const std::vector<Foreseen>& rows, const std::vector<double>& turns,
                            const BootstrapOptions& options) {
  struct Columns {
    std::vector<double> x, y, z;
  };
  std::map<std::string, Columns> by_dialogue;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Columns& d = by_dialogue[rows[i].dialogue];
    d.x.push_back(rows[i].rating);
    d.y.push_back(rows[i].value);
    d.z.push_back(turns[i]);
  }
  std::vector<PartialSums> dialogues;
  PartialSums all;
  for (const auto& [name, d] : by_dialogue) {
    const auto x = mean_ranks(d.x), y = mean_ranks(d.y), z = mean_ranks(d.z);
    const double mean = (static_cast<double>(x.size()) + 1) / 2;
    PartialSums s;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double a = x[i] - mean, b = y[i] - mean, c = z[i] - mean;
      s += {a * a, b * b, c * c, a * b, a * c, b * c};
    }
    dialogues.push_back(s);
    all += s;
  }
  ForesightScores out;
  if (all.xx <= 0) return out;
  out.spearman = all.partial();
  if (dialogues.size() < 2) return out;
  out.spearman_interval = percentile_interval(cluster_bootstrap(dialogues.size(), options,
                                                                [&](auto drawn) {
                                                                  PartialSums s;
                                                                  for (const auto d : drawn) {
                                                                    s += dialogues[d];
                                                                  }
                                                                  return s.partial();
                                                                }),
                                              options.level);
  return out;
}

// A predictor's values, and the turn's number of each.
struct Predictor {
  const char* name;
  std::vector<Foreseen> rows = {};
  std::vector<double> turns = {};

  void add(const Prediction& row, double value) {
    rows.push_back({row.dialogue, static_cast<double>(row.rating), value});
    turns.push_back(row.index);
  }
};
constexpr const char* kBeyondTurn = "_beyond_turn";

// The mean rating of each strategy, where a strategy has none the mean of all.
std::vector<double> strategy_means(std::span<const Prediction> fit) {
  std::vector<double> sum, n;
  double all = 0, count = 0;
  for (const auto& row : fit) {
    if (row.rating <= 0) continue;
    const auto at = static_cast<std::size_t>(row.gold);
    if (sum.size() <= at) sum.resize(at + 1), n.resize(at + 1);
    sum[at] += row.rating;
    n[at] += 1;
    all += row.rating;
    count += 1;
  }
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] = n[i] > 0 ? sum[i] / n[i] : all / count;
  }
  return sum;
}

void interval_field(JsonFields& f, const std::string& key, std::optional<Interval>& interval) {
  std::vector<double> ends;
  if (f.writing() && interval) {
    ends = {interval->low, interval->high};
    f(key, ends);
  } else if (f.reading() && f.has(key)) {
    f.get(key, ends, 2);
    interval = Interval{ends[0], ends[1]};
  }
}

bool has_finite_q(const Prediction& row) {
  return !row.q.empty() &&
         std::all_of(row.q.begin(), row.q.end(), [](double q) { return std::isfinite(q); });
}

}  // namespace

ForesightScores foresight(std::span<const Foreseen> rows, const BootstrapOptions& options) {
  std::map<std::string, OfDialogue> by_dialogue;
  for (const auto& row : rows) {
    by_dialogue[row.dialogue].rating.push_back(row.rating);
    by_dialogue[row.dialogue].value.push_back(row.value);
  }
  std::vector<WithinSums> dialogues;
  WithinSums all;
  std::vector<double> low, high;
  for (const auto& [name, d] : by_dialogue) {
    dialogues.push_back(sums_of_dialogue(d));
    all += dialogues.back();
    split_by_rating(d, low, high);
  }
  ForesightScores out;
  if (all.xx > 0) {
    out.spearman = all.spearman();
    out.spearman_interval =
        interval_of_sums(dialogues, options, [](const WithinSums& s) { return s.spearman(); });
  }
  if (const Pairs p = pairs_of(low, std::move(high)); p.of > 0) out.auc = p.won / p.of;
  if (all.pairs.of > 0) {
    out.auc_within = all.auc();
    out.auc_within_interval =
        interval_of_sums(dialogues, options, [](const WithinSums& s) { return s.auc(); });
  }
  return out;
}

std::optional<ForesightReport> foresight_report(
    std::span<const Prediction> rows, std::span<const Prediction> fit,
    const std::function<std::optional<double>(const Prediction&)>& reward,
    const BootstrapOptions& options) {
  ForesightReport report;
  std::map<std::string, int> dialogues;
  Predictor q{"q"}, advantage{"advantage"}, earned{"reward"}, strategy{"strategy_mean"},
      turn{"turn"}, constant{"constant"};
  const std::vector<double> means = strategy_means(fit);
  for (const auto& row : rows) {
    if (row.rating <= 0) continue;
    ++report.ratings;
    report.low += row.rating <= kLowRating;
    ++dialogues[row.dialogue];
    const auto gold = static_cast<std::size_t>(row.gold);
    if (has_finite_q(row)) {
      const double sum = std::accumulate(row.q.begin(), row.q.end(), 0.0);
      q.add(row, row.q[gold]);
      advantage.add(row, row.q[gold] - sum / static_cast<double>(row.q.size()));
    }
    if (reward) {
      if (const auto r = reward(row)) earned.add(row, *r);
    }
    if (!means.empty()) strategy.add(row, gold < means.size() ? means[gold] : 0);
    turn.add(row, row.index);
    constant.add(row, 0);
  }
  if (report.ratings == 0) return std::nullopt;
  report.dialogues = static_cast<std::int64_t>(dialogues.size());
  for (const auto* p : {&q, &advantage, &earned, &strategy, &turn, &constant}) {
    if (!p->rows.empty()) report.predictors.emplace_back(p->name, foresight(p->rows, options));
  }
  for (const auto* p : {&q, &advantage, &earned, &strategy}) {
    if (p->rows.empty()) continue;
    report.predictors.emplace_back(std::string(p->name) + kBeyondTurn,
                                   beyond_turn(p->rows, p->turns, options));
  }
  return report;
}

std::string foresight_title(const std::string& predictor) {
  if (predictor.ends_with(kBeyondTurn)) {
    const std::string of = predictor.substr(0, predictor.size() - std::string(kBeyondTurn).size());
    return foresight_title(of) + ", the turn's number known";
  }
  if (predictor == "turn") return "[number of the turn]";
  if (predictor == "q") return "Q";
  if (predictor == "advantage") return "Q less its state's mean";
  if (predictor == "reward") return "the reward itself";
  if (predictor == "strategy_mean") return "[mean rating of the strategy]";
  if (predictor == "constant") return "[constant]";
  return predictor;
}

void ForesightScores::fields(JsonFields& f) {
  for (const auto& m : foresight_metrics()) {
    f(m.key, this->*m.score);
    if (m.interval != nullptr) {
      interval_field(f, std::string(m.key) + "_interval", this->*m.interval);
    }
  }
}

void ForesightReport::fields(JsonFields& f) {
  f("ratings", ratings);
  f("low", low);
  f("dialogues", dialogues);
  f("predictors", predictors);
}

}  // namespace straq::metrics
