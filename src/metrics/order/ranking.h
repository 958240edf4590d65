// How Q orders all strategies, and how often a choice is one of several right ones. A supporter's
// turn often follows two strategies and another supporter would have taken a third, so accuracy
// against one label says less than where the label stands in the order. (Recall@k, MRR and NDCG as
// in information retrieval: Manning et al., Introduction to Information Retrieval, chapter 8.)
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "metrics/predictions.h"
#include "metrics/statistics.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

// Fractions. What is computed from Q is absent where no row has Q values, `set_acc` where no row
// says all of its turn's strategies.
struct RankingReport {
  std::int64_t n = 0;     // decisions with finite Q values
  std::int64_t sets = 0;  // decisions with a choice that say all of their turn's strategies
  // Whether the label is one of the three with the largest Q; 1 / its rank; its discounted gain,
  // 1 / log2(1 + rank), where the turn's strategies are known summed over them and divided by the
  // sum that the best order has.
  std::optional<double> recall_at_3, mrr, ndcg;
  std::optional<double> set_acc;  // the choice is one of the turn's strategies
  std::optional<Interval> recall_at_3_interval, mrr_interval, ndcg_interval, set_acc_interval;

  void fields(JsonFields& f);
};

// From 1: how many strategies have a larger Q, or the same and come before it. So the strategy of
// rank 1 is the one that a planner chooses.
int rank_of(std::span<const double> q, int strategy);
// Normalised discounted cumulative gain of the order by Q where the strategies of the bits `right`
// (at least one) are right and the others not.
double ndcg_of(std::span<const double> q, std::uint32_t right);

// Intervals by dialogue; none below two dialogues. Empty where there is nothing of it to say.
std::optional<RankingReport> ranking_report(std::span<const Prediction> rows,
                                            const BootstrapOptions& options);

}  // namespace straq::metrics
