#include "model/arena.h"

#include <ATen/core/grad_mode.h>

#include "tests/testing.h"

namespace straq::model {
namespace {

std::vector<ParameterSpec> specs() {
  return {{"a", {2, 3}}, {"b", {4}}, {"c", {1, 5}}};
}

TEST(ParameterArena, LeavesAreViewsInTheOrderOfTheSpecs) {
  ParameterArena arena(specs(), at::kFloat, at::kCPU, true);
  EXPECT_EQ(arena.size(), 15);
  EXPECT_EQ(arena.offset(1), 6);
  EXPECT_EQ(arena.offset(2), 10);
  arena.flat().copy_(at::arange(15));
  EXPECT_TRUE(at::equal(arena["a"], at::arange(6).to(at::kFloat).view({2, 3})));
  EXPECT_TRUE(at::equal(arena["c"], at::arange(10, 15).to(at::kFloat).view({1, 5})));
  EXPECT_TRUE(arena["b"].is_leaf());
  EXPECT_TRUE(arena["b"].requires_grad());
  EXPECT_FALSE(arena.flat().requires_grad());
  EXPECT_THROW(arena["d"], std::out_of_range);
}

TEST(ParameterArena, BackwardAccumulatesIntoTheFlatGradientAlsoAfterZeroing) {
  ParameterArena arena(specs(), at::kDouble, at::kCPU, true);
  at::manual_seed(1);
  arena.flat().normal_();
  const auto loss = [&] { return arena["a"].square().sum() + 3 * arena["b"].sum(); };
  const auto expected = [&](double times) {
    return at::cat({2 * times * arena.flat().narrow(0, 0, 6), at::full({4}, 3 * times, at::kDouble),
                    at::zeros({5}, at::kDouble)});
  };
  for (int round = 0; round < 2; ++round) {
    loss().backward();
    EXPECT_TRUE(at::allclose(arena.flat_grad(), expected(1)));
    loss().backward();  // a second micro-batch adds
    EXPECT_TRUE(at::allclose(arena.flat_grad(), expected(2)));
    for (std::size_t i = 0; i < arena.specs().size(); ++i) {
      const auto& leaf = arena[arena.specs()[i].name];
      EXPECT_EQ(leaf.grad().const_data_ptr<double>(),
                arena.flat_grad().const_data_ptr<double>() + arena.offset(i));
    }
    arena.zero_grad();
    EXPECT_EQ(arena.flat_grad().abs().sum().item<double>(), 0);
    EXPECT_EQ(arena["a"].grad().abs().sum().item<double>(), 0);
  }
}

TEST(ParameterArena, ChangingWeightsBetweenForwardAndBackwardIsAnError) {
  ParameterArena arena(specs(), at::kFloat, at::kCPU, true);
  const auto loss = arena["a"].square().sum();
  {
    at::NoGradGuard no_grad;
    arena.flat().add_(1);
  }
  EXPECT_THROW(loss.backward(), c10::Error);
}

TEST(ParameterArena, CopiesAndCastsValuesAndKeepsThemApart) {
  ParameterArena from(specs(), at::kFloat, at::kCPU, true);
  at::manual_seed(2);
  from.flat().normal_();
  ParameterArena same(specs(), at::kFloat, at::kCPU, false);
  same.copy_from(from);
  EXPECT_EQ(same.checksum(), from.checksum());
  EXPECT_FALSE(same.flat_grad().defined());
  EXPECT_FALSE(same["a"].requires_grad());
  ParameterArena half(specs(), at::kBFloat16, at::kCPU, false);
  half.copy_from(from);
  EXPECT_TRUE(at::equal(half.flat(), from.flat().to(at::kBFloat16)));
  from.flat()[14].add_(1e-3);
  EXPECT_NE(same.checksum(), from.checksum());
}

TEST(ParameterArena, CopyNamesTheParameterThatDiffers) {
  ParameterArena a(specs(), at::kFloat, at::kCPU, false);
  ParameterArena b({{"a", {2, 3}}, {"b", {2, 2}}, {"c", {1, 5}}}, at::kFloat, at::kCPU, false);
  ParameterArena c({{"a", {2, 3}}, {"b", {4}}}, at::kFloat, at::kCPU, false);
  const auto shape = straq::testing::error_of([&] { a.copy_from(b); });
  ASSERT_TRUE(shape);
  EXPECT_NE(std::string(shape->what()).find("b [2, 2] to b [4]"), std::string::npos)
      << shape->what();
  const auto missing = straq::testing::error_of([&] { a.copy_from(c); });
  ASSERT_TRUE(missing);
  EXPECT_NE(std::string(missing->what()).find("has c"), std::string::npos) << missing->what();
}

TEST(ParameterArena, SurvivesAMove) {
  ParameterArena a(specs(), at::kFloat, at::kCPU, true);
  const ParameterArena b = std::move(a);
  (b["b"].sum() * 2).backward();
  EXPECT_EQ(b.flat_grad().sum().item<float>(), 8);
}

}  // namespace
}  // namespace straq::model
