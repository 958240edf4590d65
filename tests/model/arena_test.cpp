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
  EXPECT_EQ(arena.grad("b").sizes(), arena["b"].sizes());
  EXPECT_EQ(arena.grad("b").const_data_ptr<float>(),
            arena.flat_grad().const_data_ptr<float>() + arena.offset("b"));
  EXPECT_THROW(arena["d"], std::out_of_range);
}

TEST(ParameterArena, GradientsOfLowPrecisionAreKeptInFp32) {
  ParameterArena arena(specs(), at::kBFloat16, at::kCPU, true);
  EXPECT_EQ(arena["a"].scalar_type(), at::kBFloat16);
  EXPECT_EQ(arena.grad("a").scalar_type(), at::kFloat);
  arena.grad("a").fill_(3);
  arena.zero_grad();
  EXPECT_EQ(arena.flat_grad().abs().sum().item<float>(), 0);
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

TEST(ParameterArena, FingerprintsTellAnyTwoBuffersApart) {
  // Of more elements than are summed at a time.
  constexpr std::int64_t kMany = (1 << 20) + 77;
  for (const auto dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
    ParameterArena a({{"a", {kMany}}}, dtype, at::kCPU, false);
    at::manual_seed(3);
    a.flat().normal_();
    ParameterArena b({{"a", {kMany}}}, dtype, at::kCPU, false);
    b.copy_from(a);
    const auto same = a.fingerprint();
    EXPECT_EQ(same.size(), 32u);
    EXPECT_EQ(b.fingerprint(), same);
    b.flat()[kMany - 3].neg_();  // the sign's bit alone
    EXPECT_NE(b.fingerprint(), same);
    b.copy_from(a);
    // The same values in another order: far apart, and in neighbouring pieces.
    const auto x = b.flat()[5].clone(), y = b.flat()[kMany - 2].clone();
    b.flat()[5].copy_(y);
    b.flat()[kMany - 2].copy_(x);
    EXPECT_NE(b.fingerprint(), same);
  }
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
  b["b"].fill_(2);
  b.grad("b").fill_(3);
  EXPECT_EQ(b.flat().sum().item<float>(), 8);
  EXPECT_EQ(b.flat_grad().sum().item<float>(), 12);
}

}  // namespace
}  // namespace straq::model
