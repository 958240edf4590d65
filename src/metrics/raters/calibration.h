// How far a judge agrees with people, and whether its scores say more than one constant would. A
// judge's scale is its own; isotonic regression maps it to people's without supposing more than
// that higher is not worse, and is measured on dialogues that it was not fitted to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/statistics.h"

namespace straq::metrics {

// The non-decreasing function of x that is nearest to y by weighted squares, by pooling adjacent
// violators (Ayer et al. 1955). Between two fitted x it is linear, beyond them constant.
class IsotonicFit {
 public:
  // x and y of one length, which is not 0; equal x are one point with the mean of their y. Throws
  // Error(input) for anything else.
  IsotonicFit(std::span<const double> x, std::span<const double> y);
  double operator()(double x) const;
  const std::vector<double>& xs() const { return x_; }  // ascending, each once
  const std::vector<double>& ys() const { return y_; }

 private:
  std::vector<double> x_, y_;
};

// Cohen's kappa with quadratic weights (Cohen 1968) of two raters' whole scores from `low` to
// `high`: one minus the squared disagreement over that of independent raters with the same margins.
// Nothing where chance gives no disagreement, and of no pairs. Throws Error(input) for a score
// outside.
std::optional<double> quadratic_kappa(std::span<const int> a, std::span<const int> b, int low,
                                      int high);

// What a judge and people said of one text.
struct JudgedUnit {
  std::string dialogue;                       // units of one are not independent
  double judge = 0;                           // its score
  int integer = 0;                            // the same as a whole number, 1..5
  std::vector<std::optional<double>> people;  // by rater; the same raters for all units
};

// An agreement: mean over pairs of raters, of those that have at least three units in common.
struct PairAgreement {
  std::optional<double> spearman, kappa;
  std::int64_t pairs = 0;
};

struct Calibration {
  std::int64_t units = 0, ratings = 0, raters = 0;
  double people_mean = 0, judge_mean = 0;
  std::optional<double> spearman;             // judge against the mean of people
  PairAgreement judge_people, people_people;  // with each rater; between raters
  // Errors against the mean of people, each unit by what was fitted without its dialogue's fold.
  double constant_mae = 0, raw_mae = 0, isotonic_mae = 0;
  double constant_rmse = 0, raw_rmse = 0, isotonic_rmse = 0;
  // Squared error of the constant minus that of the calibrated judge, and its 95 % interval over
  // dialogues: above 0 the judge says something.
  double gain = 0;
  std::optional<Interval> gain_interval;
  bool better_than_constant() const { return gain_interval && gain_interval->low > 0; }
};

struct CalibrationOptions {
  int folds = 5;
  std::uint64_t seed = 42;
  int replicates = 10000;
};

// Nothing of fewer than two dialogues with a rating. Units without any rating are left out.
// Dialogues are dealt to folds in an order drawn by the seed.
std::optional<Calibration> calibrate(std::span<const JudgedUnit> units,
                                     const CalibrationOptions& options = {});

// How often two scores drawn from different texts are the same: the sum of squared shares, without
// the draw of one text twice. NaN below two.
double tie_rate(std::span<const int> scores);

}  // namespace straq::metrics
