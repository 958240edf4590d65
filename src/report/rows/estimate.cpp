#include "report/rows/estimate.h"

#include <algorithm>
#include <limits>

namespace straq::report {

metrics::Interval possible_range(const metrics::StrategyMetric& metric) {
  return {0, metric.percent ? 100 : std::numeric_limits<double>::infinity()};
}

metrics::Interval clipped(const metrics::Interval& interval, const metrics::Interval& range) {
  return {std::clamp(interval.low, range.low, range.high),
          std::clamp(interval.high, range.low, range.high)};
}

}  // namespace straq::report
