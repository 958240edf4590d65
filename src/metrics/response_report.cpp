#include "metrics/response_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

#include "core/error.h"
#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

using nlohmann::ordered_json;
using M = ResponseMetric;

struct DistinctMetric {
  M metric;
  int order;
  DistinctRule rule;
};
constexpr std::array<DistinctMetric, 4> kDistinct = {{{M::dist1, 1, DistinctRule::all},
                                                      {M::dist2, 2, DistinctRule::all},
                                                      {M::dist1_zcj, 1, DistinctRule::drop_last},
                                                      {M::dist2_zcj, 2, DistinctRule::drop_last}}};

CountedResponses count(std::span<const ResponsePair> pairs, const ResponseOptions& options) {
  if (pairs.empty()) fail_input("there are no replies to score", "name a file with one or more");
  std::vector<TokenPair> tokens;
  tokens.reserve(pairs.size());
  for (const ResponsePair& pair : pairs) {
    if (pair.references.empty()) {
      fail_input("the reply \"" + pair.id + "\" has no reference", "give it one or leave it out");
    }
    tokens.push_back(tokenize(pair, options.tokenization));
  }
  return count_responses(tokens, options);
}

std::vector<std::size_t> everything(std::size_t n) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

// Which cluster each pair of a subset is in, numbered by first appearance.
struct Clusters {
  std::vector<std::uint32_t> of;
  std::vector<std::string> names;
};

Clusters clusters_of(std::span<const ResponsePair> pairs, std::span<const std::size_t> subset) {
  Clusters out;
  std::unordered_map<std::string, std::uint32_t> known;
  for (const std::size_t i : subset) {
    const auto fresh = static_cast<std::uint32_t>(out.names.size());
    std::uint32_t cluster = fresh;
    if (!pairs[i].dialogue.empty()) cluster = known.emplace(pairs[i].dialogue, fresh).first->second;
    if (cluster == fresh) out.names.push_back(pairs[i].dialogue);
    out.of.push_back(cluster);
  }
  return out;
}

std::vector<ResponseSums> sums_of(const CountedResponses& counted,
                                  std::span<const std::size_t> subset) {
  const auto scores = cider(counted, subset);
  std::vector<ResponseSums> out;
  for (std::size_t i = 0; i < subset.size(); ++i) {
    out.push_back(counted.pairs[subset[i]].sums);
    out.back().cider = scores[i];
  }
  return out;
}

std::vector<ResponseSums> sums_of_clusters(const std::vector<ResponseSums>& sums,
                                           const Clusters& clusters) {
  std::vector<ResponseSums> out(clusters.names.size());
  for (std::size_t i = 0; i < sums.size(); ++i) out[clusters.of[i]] += sums[i];
  return out;
}

DialogueSums sums_of_dialogues(std::span<const ResponsePair> pairs,
                               const CountedResponses& counted) {
  const auto all = everything(pairs.size());
  Clusters clusters = clusters_of(pairs, all);
  auto sums = sums_of_clusters(sums_of(counted, all), clusters);
  return {std::move(clusters.names), std::move(sums)};
}

// The t interval of a jackknife, kept inside [0, 1].
Interval jackknife_interval(double value, const std::vector<double>& without_each, double level) {
  const auto n = static_cast<double>(without_each.size());
  const double mean = std::accumulate(without_each.begin(), without_each.end(), 0.0) / n;
  double squares = 0;
  for (const double x : without_each) squares += (x - mean) * (x - mean);
  const double error = std::sqrt((n - 1) / n * squares);
  const double half = student_t_quantile(1 - (1 - level) / 2, n - 1) * error;
  return {std::max(0.0, value - half), std::min(1.0, value + half)};
}

ByMetric<Interval> intervals_of(const CountedResponses& counted,
                                std::span<const std::size_t> subset, const Clusters& clusters,
                                const std::vector<ResponseSums>& by_cluster,
                                const ByMetric<double>& values, BleuVariant variant,
                                const BootstrapOptions& options) {
  ByMetric<std::vector<double>> replicates;
  cluster_bootstrap(by_cluster.size(), options, [&](std::span<const std::uint32_t> drawn) {
    ResponseSums sum;
    for (const std::uint32_t d : drawn) sum += by_cluster[d];
    const auto scores = additive_scores(sum, variant);
    for (const auto& m : reply_metrics()) {
      if (m.sums != SumsOf::none) replicates[m.which].push_back(scores[m.which]);
    }
    return 0.0;
  });
  ByMetric<Interval> out;
  for (const auto& m : reply_metrics()) {
    if (m.sums == SumsOf::none) continue;
    out[m.which] = percentile_interval(std::move(replicates[m.which]), options.level);
  }
  for (const auto& d : kDistinct) {
    out[d.metric] = jackknife_interval(
        values[d.metric],
        distinct_without_each(counted, subset, clusters.of, clusters.names.size(), d.order, d.rule),
        options.level);
  }
  return out;
}

ResponseScores score(std::span<const ResponsePair> pairs, const CountedResponses& counted,
                     std::span<const std::size_t> subset, const ResponseOptions& options,
                     const std::optional<BootstrapOptions>& bootstrap) {
  const Clusters clusters = clusters_of(pairs, subset);
  const auto by_cluster = sums_of_clusters(sums_of(counted, subset), clusters);
  ResponseSums all;
  for (const auto& sums : by_cluster) all += sums;
  ResponseScores out;
  out.n = static_cast<std::int64_t>(subset.size());
  out.clusters = static_cast<std::int64_t>(by_cluster.size());
  for (const std::size_t i : subset) out.empty += counted.pairs[i].sequence[0].empty();
  out.values = additive_scores(all, options.bleu);
  for (const auto& d : kDistinct) {
    out.values[d.metric] = distinct(counted, subset, d.order, d.rule).value();
  }
  if (bootstrap && by_cluster.size() > 1) {
    out.intervals =
        intervals_of(counted, subset, clusters, by_cluster, out.values, options.bleu, *bootstrap);
  }
  return out;
}

using Subsets = std::map<std::string, std::vector<std::size_t>>;

// Intervals by metric, as lists of two numbers.
struct MetricIntervals {
  ByMetric<Interval> values;
  void fields(JsonFields& f) {
    for (const auto& m : reply_metrics()) {
      Interval& x = values[m.which];
      std::vector<double> pair = {x.low, x.high};
      f(m.key, pair, 2);
      x = {pair[0], pair[1]};
    }
  }
};

}  // namespace

ByMetric<double> additive_scores(const ResponseSums& sums, BleuVariant variant) {
  ByMetric<double> out;
  out.values.fill(std::numeric_limits<double>::quiet_NaN());
  const auto bleus = bleu(sums, variant);
  out[M::bleu1] = bleus[0];
  out[M::bleu2] = bleus[1];
  out[M::bleu3] = bleus[2];
  out[M::bleu4] = bleus[3];
  out[M::sentence_bleu2] = sums.sentence_bleu2 / sums.n;
  out[M::rouge_l] = sums.rouge_l / sums.n;
  out[M::cider] = sums.cider / sums.n;
  out[M::f1] = sums.f1 / sums.n;
  out[M::length] = sums.length / sums.n;
  out[M::reference_length] = sums.reference_length / sums.n;
  return out;
}

std::vector<ResponseSums> sums_by_pair(std::span<const ResponsePair> pairs,
                                       const ResponseOptions& options) {
  const auto counted = count(pairs, options);
  return sums_of(counted, everything(pairs.size()));
}

DialogueSums sums_by_dialogue(std::span<const ResponsePair> pairs, const ResponseOptions& options) {
  return sums_of_dialogues(pairs, count(pairs, options));
}

ResponseReport response_report(std::span<const ResponsePair> pairs, const ResponseOptions& options,
                               const std::optional<BootstrapOptions>& bootstrap,
                               DialogueSums* sums) {
  const CountedResponses counted = count(pairs, options);
  if (sums != nullptr) *sums = sums_of_dialogues(pairs, counted);
  ResponseReport out;
  out.options = options;
  out.bootstrap = bootstrap;
  out.overall = score(pairs, counted, everything(pairs.size()), options, bootstrap);
  Subsets strategies, emotions;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i].strategy.empty()) strategies[pairs[i].strategy].push_back(i);
    if (!pairs[i].emotion.empty()) emotions[pairs[i].emotion].push_back(i);
  }
  for (const auto& [name, subset] : strategies) {
    out.by_strategy.emplace_back(name, score(pairs, counted, subset, options, bootstrap));
  }
  for (const auto& [name, subset] : emotions) {
    out.by_emotion.emplace_back(name, score(pairs, counted, subset, options, bootstrap));
  }
  return out;
}

void ResponseScores::fields(JsonFields& f) {
  f("n", n);
  f("clusters", clusters);
  f("empty", empty);
  for (const auto& m : reply_metrics()) f(m.key, values[m.which]);
  // Of one dialogue there is none, whatever a file says.
  if (f.reading() && clusters <= 1) return;
  std::optional<MetricIntervals> list;
  if (intervals) list.emplace().values = *intervals;
  f("intervals", list);
  if (list) intervals = list->values;
}

void ResponseReport::fields(JsonFields& f) {
  f.word("tokenizer", options.tokenization, {Tokenization::nltk_lower, Tokenization::whitespace});
  f.word("bleu", options.bleu, {BleuVariant::method3, BleuVariant::coco});
  f("rouge_beta", options.rouge_beta);
  f("bootstrap", bootstrap);
  f("overall", overall);
  f.maybe("by_strategy", by_strategy);
  f.maybe("by_emotion", by_emotion);
}

ordered_json ResponseReport::to_json() const {
  return write_json(*this);
}

}  // namespace straq::metrics
