// Scores from 1 to 5 on the scale that Q is trained on (learn.reward.map): every map is linear, so
// the order of decisions is the same under each and only the size of Q differs.
#pragma once

#include <vector>

namespace straq::learn {

enum class RewardMap {
  raw,      // r
  fifth,    // r / 5
  centred,  // (r - 3) / 2
  zscore,   // (r - mean) / standard deviation, both of the train split's scores
};

struct ScoreMap {
  RewardMap kind = RewardMap::raw;

  // Takes mean and (population) standard deviation of the train split's scores, for zscore. Throws
  // Error(input) under zscore where all are equal.
  void fit(const std::vector<double>& scores);
  // Throws Error(input) under zscore before fit.
  double operator()(double score) const;
  // What a step of 1 on the scale is worth. Throws as operator() does.
  double slope() const;
  // No mapped score is larger in absolute value; infinite under zscore before fit.
  double largest() const;
  // The mean of the scores that it was fitted to, mapped. Throws Error(input) before fit.
  double mean() const;

 private:
  void require_fitted() const;
  double mean_ = 0, deviation_ = 0;
  bool fitted_ = false;
};

}  // namespace straq::learn
