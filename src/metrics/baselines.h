// The trivial planners that every results table shows: without them an accuracy of 27 percent looks
// like an achievement, and it is what remembering one label gives.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "metrics/predictions.h"

namespace straq::metrics {

enum class Baseline {
  majority,     // the evaluated split's own most frequent strategy: the best constant there is
  repeat_last,  // the supporter's strategy before, Question where there was none
  markov1,      // the strategy that most often followed the one before in what a planner may know:
                // train, and of the split test also valid
};

inline constexpr Baseline kBaselines[] = {Baseline::majority, Baseline::repeat_last,
                                          Baseline::markov1};

// "majority", "repeat_last", "markov1": keys of evaluation.json.
std::string to_word(Baseline baseline);
// As tables name it.
std::string title_of(Baseline baseline);

struct BaselineOptions {
  int strategies = 8;
  int question = 0;  // what repeat_last opens with
};

// `rows` with `chosen` filled in and without Q. Ties go to the lower index. markov1 counts pairs
// (previous, gold) in `fit`, with "no previous" as a state of its own; a state that `fit` never
// shows gets its most frequent strategy. The other two do not read `fit`. Throws Error(input) for
// an empty `fit` with markov1 and for indices outside the set.
std::vector<Prediction> baseline_predictions(Baseline baseline, std::span<const Prediction> fit,
                                             std::span<const Prediction> rows,
                                             const BaselineOptions& options = {});

}  // namespace straq::metrics
