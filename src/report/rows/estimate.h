// A number as tables show it: with its interval, what it rests on, and whether a test lets it stand
// out.
#pragma once

#include <cstdint>
#include <optional>

#include "metrics/statistics.h"

namespace straq::report {

struct Estimate {
  double value = 0;                           // over several seeds: their mean
  std::optional<metrics::Interval> interval;  // 95 %, sampling of dialogues; mean over seeds
  std::int64_t n = 0;                         // decisions, replies or ratings
  int seeds = 1;
  std::optional<double> seed_sd;  // sample standard deviation over seeds, apart from the interval
};

// How a cell stands out. `noise`: the best or not told apart from it by the test.
enum class Emphasis { none, best, second, noise };

}  // namespace straq::report
