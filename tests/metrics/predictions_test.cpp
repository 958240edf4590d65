#include "metrics/predictions.h"

#include <gtest/gtest.h>

namespace straq::metrics {
namespace {

TEST(Predictions, GoldRowsNumberDecisionsAndKeepTheDroppedOpener) {
  dialogue::Episode e;
  e.id = "d";
  e.decisions = {{2, 4, 7, false}, {4, 1, 4, true}};
  const auto rows = gold_rows({e});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id(), "d:2");
  EXPECT_EQ(rows[0].previous, 7);
  EXPECT_EQ(rows[1].index, 1);
  EXPECT_EQ(rows[1].of, 2);
  EXPECT_EQ(rows[1].chosen, -1);
}

}  // namespace
}  // namespace straq::metrics
