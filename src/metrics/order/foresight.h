// Whether the numbers that a planner or a reward gives to what the corpus's supporters did foresee
// what the seekers said of it: the check of every reward against people, on dialogues that nobody
// trained on. Seekers differ in how content they are (more than half of the variance of ESConv's
// ratings lies between dialogues), so what counts is the order within a dialogue.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "metrics/predictions.h"
#include "metrics/statistics.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

// A rating from 1 to 5, and what was predicted of it: any number that should grow with it.
struct Foreseen {
  std::string dialogue;
  double rating = 0;
  double value = 0;
};

// Ratings up to this one are low.
inline constexpr double kLowRating = 3;

// Of one predictor. Absent where there is nothing to compare: all ratings of every dialogue alike,
// no low rating or none but low ones.
struct ForesightScores {
  // Rank correlation within dialogues: ratings and values are ranked within each dialogue (mean
  // ranks for ties), taken from their dialogue's mean rank, and correlated over all dialogues. 0
  // for values that are constant within every dialogue.
  std::optional<double> spearman;
  // The chance that of a low and a higher rating the low one has the smaller value (ties count
  // half), over all pairs and over the pairs within a dialogue. 0.5 says nothing.
  std::optional<double> auc, auc_within;
  std::optional<Interval> spearman_interval, auc_within_interval;  // by dialogue

  void fields(JsonFields& f);
};

ForesightScores foresight(std::span<const Foreseen> rows, const BootstrapOptions& options);

// What a split's ratings say of a run, in evaluation.json.
struct ForesightReport {
  std::int64_t ratings = 0, low = 0, dialogues = 0;
  // "q": Q of the corpus's own strategy; "advantage": less the mean of its state's Q; "reward":
  // what the run's reward gave for it, where it is not made of these ratings; "strategy_mean": the
  // mean rating of the strategy in the dialogues that the planner knows; "turn": the number of the
  // decision, which foresees ratings by itself, for they rise in the course of a dialogue;
  // "constant"; and "<predictor>_beyond_turn" of the first four, whose spearman is the partial
  // correlation where "turn" is known.
  std::vector<std::pair<std::string, ForesightScores>> predictors;

  void fields(JsonFields& f);
};
// How tables call a predictor.
std::string foresight_title(const std::string& predictor);

// `fit`: rows with ratings that the strategies' means come from (train, for a test also valid).
// `reward`: of a row's own action; none where the run's reward is made of the ratings. Empty where
// no row of `rows` has a rating.
std::optional<ForesightReport> foresight_report(
    std::span<const Prediction> rows, std::span<const Prediction> fit,
    const std::function<std::optional<double>(const Prediction&)>& reward,
    const BootstrapOptions& options);

}  // namespace straq::metrics
