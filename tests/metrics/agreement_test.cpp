#include "metrics/raters/agreement.h"

#include <gtest/gtest.h>

namespace straq::metrics {
namespace {

// Krippendorff's own example: four observers, twelve units, gaps; his published results.
const std::vector<std::vector<double>> kUnits = {
    {1, 1, 1},    {2, 2, 3, 2}, {3, 3, 3, 3}, {3, 3, 3, 3}, {2, 2, 2, 2}, {1, 2, 3, 4},
    {4, 4, 4, 4}, {1, 1, 2, 1}, {2, 2, 2, 2}, {5, 5, 5},    {1, 1},       {3}};

TEST(Agreement, KrippendorffsExample) {
  const auto nominal = krippendorff_alpha(kUnits, AlphaScale::nominal);
  ASSERT_TRUE(nominal);
  EXPECT_NEAR(nominal->alpha, 0.743, 5e-4);
  EXPECT_EQ(nominal->units, 11) << "one unit has a single rating";
  EXPECT_EQ(nominal->ratings, 40);
  EXPECT_NEAR(krippendorff_alpha(kUnits, AlphaScale::ordinal)->alpha, 0.815, 5e-4);
  EXPECT_NEAR(krippendorff_alpha(kUnits, AlphaScale::interval)->alpha, 0.849, 5e-4);
}

TEST(Agreement, FullAgreementIsOneAndNothingToCompareIsNothing) {
  EXPECT_DOUBLE_EQ(krippendorff_alpha({{1, 1}, {5, 5}})->alpha, 1);
  EXPECT_FALSE(krippendorff_alpha({{1}, {5}}));
  EXPECT_FALSE(krippendorff_alpha({{3, 3}, {3, 3}})) << "no variation: chance is as good";
  EXPECT_LT(krippendorff_alpha({{1, 5}, {5, 1}})->alpha, 0) << "worse than chance";
}

}  // namespace
}  // namespace straq::metrics
