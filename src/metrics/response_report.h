// The response metrics of one method on one set of replies: overall, by the gold strategy and by
// emotion, with intervals over dialogues. It is what result tables read; it travels as JSON, so a
// table can be made again without the replies.
//
//   {"tokenizer": "nltk_lower", "bleu": "method3", "rouge_beta": 1.2,
//    "bootstrap": {"replicates": 10000, "seed": 42, "level": 0.95},
//    "overall": {"n": 2295, "clusters": 195, "empty": 0, "bleu1": 0.19, …one key a metric…,
//                "intervals": {"bleu1": [lo, hi], …}},
//    "by_strategy": {"Question": {…as overall…}, …}, "by_emotion": {…}}
//
// "bootstrap" and "intervals" are absent where none were asked for, "intervals" also where all
// replies are of one dialogue. Fractions, not percent; lengths in tokens.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "metrics/response_metrics.h"
#include "metrics/statistics.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

// What there is; metrics::reply_metrics() says what files and tables make of each.
enum class ResponseMetric {
  bleu1,
  bleu2,
  bleu3,
  bleu4,
  sentence_bleu2,  // mean over pairs, unsmoothed: a diagnostic, no table's BLEU-2
  rouge_l,
  dist1,
  dist2,
  dist1_zcj,  // without the last n-gram of each reply, to compare with scripts that drop it
  dist2_zcj,
  cider,
  f1,                // token F1
  length,            // mean tokens of a hypothesis
  reference_length,  // mean tokens of a reference
};
inline constexpr std::size_t kResponseMetrics = 14;

template <class T>
struct ByMetric {
  std::array<T, kResponseMetrics> values{};
  T& operator[](ResponseMetric m) { return values[static_cast<std::size_t>(m)]; }
  const T& operator[](ResponseMetric m) const { return values[static_cast<std::size_t>(m)]; }
};

struct ResponseScores {
  std::int64_t n = 0;         // pairs
  std::int64_t clusters = 0;  // dialogues; as many as pairs when no dialogue is known
  std::int64_t empty = 0;     // hypotheses without a token
  ByMetric<double> values;
  std::optional<ByMetric<Interval>> intervals;

  double operator[](ResponseMetric m) const { return values[m]; }
  void fields(JsonFields& f);
};

struct ResponseReport {
  ResponseOptions options;
  std::optional<BootstrapOptions> bootstrap;
  ResponseScores overall;
  std::vector<std::pair<std::string, ResponseScores>> by_strategy, by_emotion;  // sorted by name

  void fields(JsonFields& f);
  nlohmann::ordered_json to_json() const;
};

// Scores all pairs and each subset by itself (CIDEr's idf and Dist-n are the subset's own). The
// intervals are percentile intervals of the cluster bootstrap over dialogues, CIDEr's idf frozen
// from the full set; those of Dist-n are jackknife t intervals, for it does not add up. Pairs
// without a dialogue are a cluster each. Throws Error(input) for no pairs and for a pair without
// references. `sums`, if any, receives what sums_by_dialogue would give, without a second counting.
struct DialogueSums;
ResponseReport response_report(std::span<const ResponsePair> pairs, const ResponseOptions& options,
                               const std::optional<BootstrapOptions>& bootstrap = std::nullopt,
                               DialogueSums* sums = nullptr);

// The additive metrics of summed counts; the four Dist entries are NaN.
ByMetric<double> additive_scores(const ResponseSums& sums, BleuVariant variant);

// Each pair by itself in the order given, CIDEr's idf from all of them.
std::vector<ResponseSums> sums_by_pair(std::span<const ResponsePair> pairs,
                                       const ResponseOptions& options);

// Sums of each dialogue, in order of first appearance: what paired tests between two methods swap.
struct DialogueSums {
  std::vector<std::string> dialogues;
  std::vector<ResponseSums> sums;
};
DialogueSums sums_by_dialogue(std::span<const ResponsePair> pairs, const ResponseOptions& options);

}  // namespace straq::metrics
