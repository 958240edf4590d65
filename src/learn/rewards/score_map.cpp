#include "learn/rewards/score_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace straq::learn {
namespace {
constexpr double kLow = 1, kHigh = 5;
}

void ScoreMap::fit(const std::vector<double>& scores) {
  if (scores.empty()) return;
  double sum = 0, squares = 0;
  for (const double s : scores) sum += s;
  mean_ = sum / static_cast<double>(scores.size());
  for (const double s : scores) squares += (s - mean_) * (s - mean_);
  deviation_ = std::sqrt(squares / static_cast<double>(scores.size()));
  fitted_ = true;
  if (kind == RewardMap::zscore && deviation_ <= 0) {
    fail_input("learn.reward.map: zscore, and all scores of the train split are the same",
               "choose raw, r/5 or (r-3)/2");
  }
}

void ScoreMap::require_fitted() const {
  if (fitted_) return;
  fail_input(
      "learn.reward.map and learn.distill.missing: the train split's scores are needed, and "
      "the data set has none",
      "open a data set with a train split, or choose another map");
}

double ScoreMap::operator()(double score) const {
  switch (kind) {
    case RewardMap::raw:
      return score;
    case RewardMap::fifth:
      return score / 5;
    case RewardMap::centred:
      return (score - 3) / 2;
    case RewardMap::zscore:
      break;
  }
  require_fitted();
  return (score - mean_) / deviation_;
}

double ScoreMap::slope() const {
  return (*this)(kHigh) / (kHigh - kLow) - (*this)(kLow) / (kHigh - kLow);
}

double ScoreMap::largest() const {
  if (kind == RewardMap::zscore && !fitted_) return std::numeric_limits<double>::infinity();
  return std::max(std::abs((*this)(kLow)), std::abs((*this)(kHigh)));
}

double ScoreMap::mean() const {
  require_fitted();
  return (*this)(mean_);
}

}  // namespace straq::learn
