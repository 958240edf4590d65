// What is known about one run's choices on each split, and about the trivial planners on the same
// decisions. Evaluating calls the two functions here and writes evaluation.json
// (results/rows/evaluation.h); reporting reads it and never recomputes.
//
//   {"format": 2,
//    "strategies": [{"name": "Question", "abbreviation": "Que."}, …],
//    "splits": {"test": {"strategy": {…StrategyReport…},
//                        "intervals": {"acc": [lo, hi], "macro_f1": [lo, hi], "bias": [lo, hi],
//                                      "level": 0.95, "replicates": 10000, "seed": 42,
//                                      "dialogues": 195},
//                        "value": {…ValueReport…}, "ranking": {…RankingReport…},
//                        "foresight": {…ForesightReport…}}},
//    "baselines": {"test": {"majority": {…StrategyReport…, "intervals": {…}},
//                           "repeat_last": {…}, "markov1": {…}}}}
//
// Intervals are null where there is one dialogue. "value" is absent for methods without Q values,
// "foresight" where no seeker has rated anything.
// Fractions, not percent. Keys that are not listed are ignored when reading. Format 1 called
// macro-F1 "q" and the bias "b"; it is read, too.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dialogue/strategy.h"
#include "metrics/baselines.h"
#include "metrics/order/foresight.h"
#include "metrics/order/ranking.h"
#include "metrics/statistics.h"
#include "metrics/strategy_metrics.h"
#include "metrics/value.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

struct StrategyLabel {
  std::string name, abbreviation;
  bool operator==(const StrategyLabel&) const = default;
  void fields(JsonFields& f);
};
std::vector<StrategyLabel> labels_of(const dialogue::StrategySet& strategies);

struct EvaluationOptions {
  StrategyOptions strategy;
  BootstrapOptions bootstrap;
  std::optional<double> gamma;  // of the rows' returns, noted in the value report
  int question = 0;             // what the repeat_last baseline opens with
};

struct SplitEvaluation {
  StrategyReport strategy;
  StrategyIntervals intervals;
  std::optional<ValueReport> value;
  std::optional<RankingReport> ranking;
  std::optional<ForesightReport> foresight;  // of splits with ratings; not from the rows alone
  void fields(JsonFields& f);
};

struct BaselineEvaluation {
  std::string name;  // to_word(Baseline)
  StrategyReport strategy;
  StrategyIntervals intervals;
  void fields(JsonFields& f);
};

// Everything about one split's predictions. Throws Error(input) as strategy_report does.
SplitEvaluation evaluate_predictions(std::span<const Prediction> rows,
                                     const EvaluationOptions& options);

// The three trivial planners on the decisions of `rows` (their choices and Q are not read), fitted
// on `fit`: gold_rows of the train split (which for `train` itself is what the planner was trained
// on, too), and for `test` of train and valid. An empty `fit` leaves markov1 out: a split
// that stands alone is still evaluated.
std::vector<BaselineEvaluation> baseline_reports(std::span<const Prediction> fit,
                                                 std::span<const Prediction> rows,
                                                 const EvaluationOptions& options);

// A whole evaluation.json; splits keep their order.
struct Evaluation {
  std::vector<StrategyLabel> strategies;
  std::vector<std::pair<std::string, SplitEvaluation>> splits;
  std::vector<std::pair<std::string, std::vector<BaselineEvaluation>>> baselines;

  // Refuses a newer format; writes the newest.
  void fields(JsonFields& f);
  nlohmann::ordered_json to_json() const;
};

}  // namespace straq::metrics
