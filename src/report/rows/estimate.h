// A number as tables show it: with its interval, what it rests on, and whether a test lets it stand
// out.
#pragma once

#include <cstdint>
#include <optional>

#include "metrics/metric.h"
#include "metrics/statistics.h"

namespace straq::report {

struct Estimate {
  double value = 0;                           // over several seeds: their mean
  std::optional<metrics::Interval> interval;  // 95 %, sampling of dialogues; mean over seeds
  std::int64_t n = 0;                         // decisions, replies or ratings
  int seeds = 1;
  std::optional<double> seed_sd;  // sample standard deviation over seeds, apart from the interval
};

// How a cell stands out. `noise`: the best or not told apart from it by the tests. Where a test
// over seeds was possible too and one of the two upholds the lead alone, `noise_seeds` (dialogues
// uphold it, seeds do not) or `noise_dialogues`.
enum class Emphasis { none, best, second, noise, noise_seeds, noise_dialogues };

// The values that a metric of choices can have, as tables show them: 0 to 100 of a percentage, from
// 0 on of the rest. An interval that is no draw of anything may reach beyond and is cut there.
metrics::Interval possible_range(const metrics::StrategyMetric& metric);
metrics::Interval clipped(const metrics::Interval& interval, const metrics::Interval& range);

}  // namespace straq::report
