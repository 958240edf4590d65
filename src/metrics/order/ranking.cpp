#include "metrics/order/ranking.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

enum RankingPart { kRecall, kMrr, kNdcg, kSetAcc, kRankingParts };

struct RankingSums {
  std::array<double, kRankingParts> sum{};
  std::int64_t n = 0, sets = 0;

  RankingSums& operator+=(const RankingSums& other) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other.sum[i];
    n += other.n;
    sets += other.sets;
    return *this;
  }
  double mean(int part) const {
    const auto count = static_cast<double>(part == kSetAcc ? sets : n);
    return count > 0 ? sum[static_cast<std::size_t>(part)] / count : 0;
  }
};

bool holds(std::uint32_t bits, int strategy) {
  return strategy >= 0 && strategy < 32 && (bits >> strategy & 1) != 0;
}

RankingSums sums_of_row(const Prediction& row) {
  RankingSums s;
  if (!row.q.empty() &&
      std::all_of(row.q.begin(), row.q.end(), [](double q) { return std::isfinite(q); })) {
    const int rank = rank_of(row.q, row.gold);
    s.n = 1;
    s.sum[kRecall] = rank <= 3 ? 1 : 0;
    s.sum[kMrr] = 1.0 / rank;
    s.sum[kNdcg] =
        row.strategies != 0 ? ndcg_of(row.q, row.strategies) : 1.0 / std::log2(1.0 + rank);
  }
  if (row.strategies != 0 && row.chosen >= 0) {
    s.sets = 1;
    s.sum[kSetAcc] = holds(row.strategies, row.chosen) ? 1 : 0;
  }
  return s;
}

}  // namespace

int rank_of(std::span<const double> q, int strategy) {
  const auto at = static_cast<std::size_t>(strategy);
  int rank = 1;
  for (std::size_t i = 0; i < q.size(); ++i) rank += q[i] > q[at] || (q[i] == q[at] && i < at);
  return rank;
}

double ndcg_of(std::span<const double> q, std::uint32_t right) {
  double gain = 0, best = 0;
  int place = 0;
  for (int i = 0; i < static_cast<int>(q.size()); ++i) {
    if (!holds(right, i)) continue;
    gain += 1 / std::log2(1.0 + rank_of(q, i));
    best += 1 / std::log2(2.0 + place++);
  }
  return gain / best;
}

std::optional<RankingReport> ranking_report(std::span<const Prediction> rows,
                                            const BootstrapOptions& options) {
  std::map<std::string, std::size_t> place;
  std::vector<RankingSums> dialogues;
  RankingSums all;
  for (const Prediction& row : rows) {
    const auto [at, added] = place.try_emplace(row.dialogue, dialogues.size());
    if (added) dialogues.emplace_back();
    const RankingSums s = sums_of_row(row);
    dialogues[at->second] += s;
    all += s;
  }
  if (all.n == 0 && all.sets == 0) return std::nullopt;
  RankingReport report;
  report.n = all.n;
  report.sets = all.sets;
  const struct {
    RankingPart part;
    std::optional<double> RankingReport::*score;
    std::optional<Interval> RankingReport::*interval;
  } parts[] = {{kRecall, &RankingReport::recall_at_3, &RankingReport::recall_at_3_interval},
               {kMrr, &RankingReport::mrr, &RankingReport::mrr_interval},
               {kNdcg, &RankingReport::ndcg, &RankingReport::ndcg_interval},
               {kSetAcc, &RankingReport::set_acc, &RankingReport::set_acc_interval}};
  for (const auto& p : parts) {
    if ((p.part == kSetAcc ? all.sets : all.n) == 0) continue;
    report.*p.score = all.mean(p.part);
    if (dialogues.size() < 2) continue;
    report.*p.interval = percentile_interval(cluster_bootstrap(dialogues.size(), options,
                                                               [&](auto drawn) {
                                                                 RankingSums s;
                                                                 for (const std::uint32_t d : drawn)
                                                                   s += dialogues[d];
                                                                 return s.mean(p.part);
                                                               }),
                                             options.level);
  }
  return report;
}

void RankingReport::fields(JsonFields& f) {
  f("n", n);
  f("sets", sets);
  for (const auto& m : ranking_metrics()) {
    f(m.key, this->*m.score);
    std::vector<double> ends;
    const std::string key = std::string(m.key) + "_interval";
    if (f.writing() && this->*m.interval) {
      ends = {(this->*m.interval)->low, (this->*m.interval)->high};
      f(key, ends);
    } else if (f.reading() && f.has(key)) {
      f.get(key, ends, 2);
      this->*m.interval = Interval{ends[0], ends[1]};
    }
  }
}

}  // namespace straq::metrics
