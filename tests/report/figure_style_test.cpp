#include "report/figure_style.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace straq::report
