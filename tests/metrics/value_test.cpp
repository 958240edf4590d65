#include "metrics/value.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/json/json_fields.h"

namespace straq::metrics {
namespace {

Prediction row(const std::string& dialogue, int index, int gold, int chosen,
               std::vector<double> q) {
  Prediction p;
  p.dialogue = dialogue;
  p.turn = index;
  p.index = index;
  p.of = 10;
  p.gold = gold;
  p.chosen = chosen;
  p.q = std::move(q);
  return p;
}

TEST(Value, RewardToGoRunsBackwards) {
  const auto g = discounted_returns(std::vector<double>{1, 0, 2}, 0.5);
  EXPECT_EQ(g, (std::vector<double>{1.5, 1, 2}));
  EXPECT_TRUE(discounted_returns({}, 0.9).empty());
}

TEST(Value, ReturnsFollowTheIndexAndStopAtAMissingReward) {
  std::vector<Prediction> rows = {row("a", 2, 0, 0, {}), row("a", 0, 0, 0, {}),
                                  row("b", 0, 0, 0, {}), row("a", 1, 0, 0, {}),
                                  row("b", 1, 0, 0, {})};
  fill_returns(rows, 0.5, [](const Prediction& p) -> std::optional<double> {
    if (p.dialogue == "b" && p.index == 0) return std::nullopt;
    return p.index + 1.0;
  });
  EXPECT_EQ(rows[0].mc_return, 3.0);
  EXPECT_EQ(rows[3].mc_return, 2 + 0.5 * 3);
  EXPECT_EQ(rows[1].mc_return, 1 + 0.5 * 3.5);
  EXPECT_EQ(rows[4].mc_return, 2.0);
  EXPECT_FALSE(rows[2].mc_return);
}

TEST(Value, MeansAndRankCorrelation) {
  std::vector<Prediction> rows = {row("a", 0, 1, 0, {3, 1}), row("a", 1, 1, 1, {0, 2}),
                                  row("a", 2, 0, -1, {5, 4})};
  rows[0].mc_return = 1;
  rows[1].mc_return = 7;
  rows[2].mc_return = 10;
  const auto v = value_report(rows, 0.85);
  ASSERT_TRUE(v);
  EXPECT_EQ(v->n, 3);
  EXPECT_DOUBLE_EQ(v->mean_max_q, (3 + 2 + 5) / 3.0);
  EXPECT_DOUBLE_EQ(*v->mean_chosen_q, (3 + 2) / 2.0) << "the row without a choice is left out";
  EXPECT_DOUBLE_EQ(v->mean_gold_q, (1 + 2 + 5) / 3.0);
  EXPECT_DOUBLE_EQ(*v->mean_return, 6);
  EXPECT_DOUBLE_EQ(*v->spearman_chosen, -1);
  EXPECT_DOUBLE_EQ(*v->spearman_gold, 1);
  const auto again = read_json<ValueReport>(v->to_json(), "x");
  EXPECT_EQ(again.to_json(), v->to_json());
}

TEST(Value, NonFiniteQIsLeftOutAndCounted) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto v =
      value_report(std::vector<Prediction>{row("a", 0, 0, 0, {1, 2}), row("a", 1, 0, 0, {nan, 2})});
  ASSERT_TRUE(v);
  EXPECT_EQ(v->n, 1);
  EXPECT_EQ(v->non_finite, 1);
  EXPECT_EQ(v->mean_max_q, 2);
  EXPECT_FALSE(v->spearman_chosen);
}

TEST(Value, MethodsWithoutQHaveNone) {
  EXPECT_FALSE(value_report(std::vector<Prediction>{row("a", 0, 0, 0, {})}));
}

}  // namespace
}  // namespace straq::metrics
