#include "metrics/raters/agreement.h"

#include <algorithm>
#include <map>

namespace straq::metrics {

std::optional<Alpha> krippendorff_alpha(const std::vector<std::vector<double>>& ratings,
                                        AlphaScale scale) {
  Alpha out;
  std::map<double, double> total;  // how often each value occurs in the units that count
  for (const auto& unit : ratings) {
    if (unit.size() < 2) continue;
    ++out.units;
    out.ratings += static_cast<std::int64_t>(unit.size());
    for (double x : unit) ++total[x];
  }
  if (out.units == 0 || total.size() < 2) return std::nullopt;

  // Ordinal distance: the ratings between two values, with half of each end.
  std::map<double, double> rank;
  double below = 0;
  for (const auto& [value, n] : total) {
    rank[value] = below + n / 2;
    below += n;
  }
  const auto distance = [&](double x, double y) {
    if (x == y) return 0.0;
    if (scale == AlphaScale::nominal) return 1.0;
    const double d = scale == AlphaScale::ordinal ? rank.at(x) - rank.at(y) : x - y;
    return d * d;
  };
  double observed = 0, expected = 0;
  for (const auto& unit : ratings) {
    if (unit.size() < 2) continue;
    double sum = 0;
    for (double x : unit) {
      for (double y : unit) sum += distance(x, y);
    }
    observed += sum / static_cast<double>(unit.size() - 1);
  }
  for (const auto& [x, nx] : total) {
    for (const auto& [y, ny] : total) expected += nx * ny * distance(x, y);
  }
  const auto n = static_cast<double>(out.ratings);
  out.alpha = 1 - (observed / n) / (expected / (n * (n - 1)));
  return out;
}

}  // namespace straq::metrics
