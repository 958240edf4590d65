#include "report/figures/figure_style.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace straq::report {
namespace {

TEST(ValueTicks, LieFlatWhereThereIsRoom) {
  EXPECT_EQ(value_ticks({0, 0.5, 1}), "(0, 0.5, 1)");
  EXPECT_EQ(value_ticks({0.85}), "(0.85)");
}

TEST(ValueTicks, StandUprightWhereTheyWouldTouch) {
  EXPECT_EQ(value_ticks({0, 0.5, 0.85, 0.95}), "(0, 0.5, 0.85, 0.95) rotate by 90 right");
}

// The discounts of the paper's Figure 5.
TEST(ValueTicks, LeaveOutLabelsThatWouldCoverEachOther) {
  EXPECT_EQ(value_ticks({0, 0.5, 0.8, 0.85, 0.9, 0.95, 0.99}),
            "(0, 0.5, 0.8, '' 0.85, 0.9, '' 0.95, 0.99) rotate by 90 right");
}

// Lightness L* of CIE 1976 from 0 (black) to 100, of an sRGB colour "#rrggbb": what is left of a
// colour in a grey print.
double lightness(const std::string& color) {
  double luminance = 0;
  const double weight[] = {0.2126, 0.7152, 0.0722};
  for (std::size_t i = 0; i < 3; ++i) {
    const double v = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
    luminance += weight[i] * (v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
  }
  return luminance > 216.0 / 24389 ? 116 * std::cbrt(luminance) - 16 : luminance * 24389 / 27;
}

TEST(Palette, LightnessIsAsDefined) {
  EXPECT_NEAR(lightness("#FFFFFF"), 100, 1e-6);
  EXPECT_NEAR(lightness("#000000"), 0, 1e-6);
  EXPECT_NEAR(lightness("#777777"), 50.03, 0.01);
}

// So many steps of lightness are seen without comparing.
constexpr double kSeen = 15;

TEST(Palette, AnyTwoSeriesCanBeToldApartInGreyAndWithoutSeeingHues) {
  for (std::size_t i = 0; i < kMostLines; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const LineStyle &a = kLines[i], &b = kLines[j];
      EXPECT_NE(a.mark, b.mark) << a.color << " and " << b.color;
      // Curves of training have no marks: dash or lightness alone must do.
      EXPECT_TRUE(a.dash != b.dash || std::abs(lightness(a.color) - lightness(b.color)) >= kSeen)
          << a.color << " and " << b.color;
    }
  }
}

TEST(Palette, EverySeriesStandsOutFromWhitePaper) {
  for (const LineStyle& s : kLines) EXPECT_LE(lightness(s.color), 75) << s.color;
}

}  // namespace
}  // namespace straq::report
