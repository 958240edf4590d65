// Agreement of raters beyond chance: Krippendorff's alpha, which takes any number of raters and
// leaves out what a rater did not rate. Scales of one to five are ordered, so disagreement is the
// squared difference (interval) or the squared difference of ranks (ordinal).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace straq::metrics {

enum class AlphaScale { nominal, ordinal, interval };

struct Alpha {
  double alpha = 0;          // 1: full agreement; 0: as by chance
  std::int64_t units = 0;    // with two ratings or more
  std::int64_t ratings = 0;  // in those units
};

// ratings[u] are all ratings of unit u in any order. Units with fewer than two ratings say nothing
// about agreement and are left out. Empty when no unit has two, and when all ratings are equal
// (chance cannot be told from agreement). Krippendorff 2011, "Computing Krippendorff's
// Alpha-Reliability".
std::optional<Alpha> krippendorff_alpha(const std::vector<std::vector<double>>& ratings,
                                        AlphaScale scale = AlphaScale::ordinal);

}  // namespace straq::metrics
