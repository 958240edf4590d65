#include "metrics/raters/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/files/files.h"
#include "core/tables/csv.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

TEST(Isotonic, PoolsWhatFallsByHand) {
  // 1, 3, 2, 4 over x = 1..4: 3 and 2 are pooled to 2.5.
  const IsotonicFit fit(std::vector<double>{4, 1, 3, 2}, std::vector<double>{4, 1, 2, 3});
  EXPECT_EQ(fit.xs(), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(fit.ys(), (std::vector<double>{1, 2.5, 2.5, 4}));
  EXPECT_DOUBLE_EQ(fit(1), 1);
  EXPECT_DOUBLE_EQ(fit(1.5), 1.75) << "linear between two";
  EXPECT_DOUBLE_EQ(fit(2.7), 2.5);
  EXPECT_DOUBLE_EQ(fit(-9), 1);
  EXPECT_DOUBLE_EQ(fit(9), 4);
}

TEST(Isotonic, EqualXAreOnePointAndWeighAsMany) {
  // x = 1 has mean 3 of two, x = 2 has 0 of one: pooled to (3 + 3 + 0) / 3 = 2.
  const IsotonicFit fit(std::vector<double>{1, 1, 2}, std::vector<double>{2, 4, 0});
  EXPECT_EQ(fit.ys(), (std::vector<double>{2, 2}));
  EXPECT_TRUE(testing::error_of([] { IsotonicFit({}, {}); }));
}

TEST(Isotonic, AFallingJudgeIsTheMean) {
  const IsotonicFit fit(std::vector<double>{1, 2, 3}, std::vector<double>{5, 3, 1});
  for (const double x : {1.0, 2.0, 3.0}) EXPECT_DOUBLE_EQ(fit(x), 3);
}

TEST(Kappa, ByHand) {
  // Pairs (1,1) (2,3) (3,3) (3,2): squared differences sum to 2. Margins a: 1, 1, 2; b: 1, 1, 2.
  // Chance: sum of a_i b_j (i-j)^2 / 4 = ((1*1 + 1*2*4) + (1*1 + 1*2*1) + (2*1*4 + 2*1*1)) / 4 =
  // 22/4.
  const std::vector<int> a = {1, 2, 3, 3}, b = {1, 3, 3, 2};
  EXPECT_NEAR(*quadratic_kappa(a, b, 1, 5), 1 - 2 / 5.5, 1e-12);
  EXPECT_DOUBLE_EQ(*quadratic_kappa(a, a, 1, 5), 1);
  EXPECT_FALSE(quadratic_kappa(std::vector<int>{3, 3}, std::vector<int>{3, 3}, 1, 5))
      << "both constant: chance cannot disagree";
  EXPECT_DOUBLE_EQ(*quadratic_kappa(std::vector<int>{3, 3}, std::vector<int>{1, 5}, 1, 5), 0)
      << "a constant agrees as by chance";
  EXPECT_TRUE(testing::error_of([&] { quadratic_kappa(a, std::vector<int>{1, 2, 3, 6}, 1, 5); }));
}

// The published kappas of three experts (two decimals), from their ratings.
TEST(Kappa, OfPublishedRatings) {
  STRAQ_REQUIRE_DATA(folder, "human_ratings/empathic_judging");
  const auto rows =
      read_csv(read_file(folder + "/combined_annotations_across_methods_and_datasets.csv")).rows;
  const auto& head = rows.at(0).fields;
  const auto first = static_cast<std::size_t>(
      std::find(head.begin(), head.end(), "empathetic_conversation_id") - head.begin());
  // rater -> dialogue -> empathy, relevance, fluency
  std::map<std::string, std::map<std::string, std::vector<int>>> given;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto& f = rows[r].fields;
    if (f.at(first).empty()) continue;
    auto& scores = given[f.at(first + 4)][f.at(first)];
    for (std::size_t k = 1; k <= 3; ++k)
      scores.push_back(static_cast<int>(std::stod(f[first + k])));
  }
  const auto kappa = [&](const char* a, const char* b, std::size_t scale) {
    std::vector<int> x, y;
    for (const auto& [id, scores] : given.at(a)) {
      x.push_back(scores.at(scale));
      y.push_back(given.at(b).at(id).at(scale));
    }
    EXPECT_EQ(x.size(), 50u);
    return *quadratic_kappa(x, y, 1, 5);
  };
  const auto table = read_csv(read_file(folder + "/table_kappa.csv")).rows;
  int compared = 0;
  for (std::size_t r = 1; r < table.size(); ++r) {
    const auto& f = table[r].fields;
    if (f.at(0) != "Empathetic Dialogues") continue;
    for (const auto& [a, b] : {std::pair("expert1", "expert2"), std::pair("expert3", "expert1"),
                               std::pair("expert2", "expert3")}) {
      if (f.at(2) != std::string("('") + a + "', '" + b + "')") continue;
      const std::size_t scale = f.at(1) == "empathy" ? 0 : f.at(1) == "relevance" ? 1 : 2;
      EXPECT_NEAR(kappa(a, b, scale), std::stod(f.at(3)), 0.0051) << f.at(1) << " " << a << b;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 9);
}

JudgedUnit unit(int dialogue, double judge, std::vector<std::optional<double>> people) {
  return {"d" + std::to_string(dialogue), judge, static_cast<int>(std::lround(judge)),
          std::move(people)};
}

TEST(Calibration, AJudgeOnAnotherScaleIsAsGoodAsItsOrder) {
  // The judge says 3 + (people - 3) / 10: never further than 0.2 from 3, and always in order.
  std::vector<JudgedUnit> units;
  for (int i = 0; i < 60; ++i) {
    const double people = 1 + i % 5;
    units.push_back(unit(i, 3 + (people - 3) / 10, {people, people}));
  }
  const auto c = calibrate(units);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->units, 60);
  EXPECT_EQ(c->raters, 2);
  EXPECT_EQ(c->ratings, 120);
  EXPECT_DOUBLE_EQ(c->people_mean, 3);
  EXPECT_NEAR(*c->spearman, 1, 1e-12);
  EXPECT_NEAR(*c->people_people.spearman, 1, 1e-12);
  EXPECT_DOUBLE_EQ(*c->people_people.kappa, 1);
  EXPECT_EQ(c->people_people.pairs, 1);
  EXPECT_DOUBLE_EQ(*c->judge_people.kappa, 0) << "rounded it always says 3";
  EXPECT_NEAR(c->raw_mae, (2 * 1.8 + 2 * 0.9) / 5, 1e-12);
  EXPECT_NEAR(c->isotonic_mae, 0, 1e-12);
  EXPECT_NEAR(c->constant_mae, 1.2, 0.1) << "the constant is fitted to the other folds";
  EXPECT_NEAR(c->gain, c->constant_rmse * c->constant_rmse, 1e-9);
  EXPECT_TRUE(c->better_than_constant());
}

TEST(Calibration, AConstantOrRandomJudgeIsNoBetterThanTheConstant) {
  std::vector<JudgedUnit> constant, random;
  std::mt19937_64 draw(3);
  for (int i = 0; i < 80; ++i) {
    const double people = 1 + index_below(draw(), 5);
    constant.push_back(unit(i, 4, {people}));
    random.push_back(unit(i, 1 + index_below(draw(), 5), {people}));
  }
  const auto c = calibrate(constant), r = calibrate(random);
  EXPECT_FALSE(c->spearman) << "a constant has no order";
  EXPECT_NEAR(c->gain, 0, 1e-12);
  EXPECT_FALSE(c->better_than_constant());
  EXPECT_FALSE(r->better_than_constant());
  EXPECT_LT(r->gain_interval->low, 0);
}

TEST(Calibration, UnitsWithoutRatingsAreLeftOutAndOneDialogueIsTooFew) {
  const std::vector<JudgedUnit> units = {
      unit(1, 3, {2.0, std::nullopt}), unit(1, 4, {std::nullopt}), unit(2, 4, {std::nullopt, 4.0})};
  const auto c = calibrate(units);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->units, 2);
  EXPECT_EQ(c->people_people.pairs, 0) << "no text has two ratings";
  EXPECT_FALSE(c->people_people.kappa);
  EXPECT_FALSE(calibrate(std::vector<JudgedUnit>{units[0], units[1]}));
}

TEST(Ties, ByHand) {
  // 3, 3, 4: of six ordered pairs two are alike.
  EXPECT_NEAR(tie_rate(std::vector<int>{3, 3, 4}), 1.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(tie_rate(std::vector<int>{2, 2}), 1);
  EXPECT_TRUE(std::isnan(tie_rate(std::vector<int>{2})));
}

}  // namespace
}  // namespace straq::metrics
