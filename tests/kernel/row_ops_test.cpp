#include "kernel/row_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace straq::kernel {
namespace {

// Every instruction set that this processor runs must give the same functions: a cluster's nodes
// differ.
class EveryInstructionSet : public ::testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!runs(GetParam())) GTEST_SKIP() << "this processor has no " << name_of(GetParam());
  }
  std::vector<float> random(std::size_t n, float scale = 1) {
    std::vector<float> out(n);
    std::normal_distribution<float> normal(0, scale);
    for (auto& x : out) x = normal(generator_);
    return out;
  }
  std::mt19937 generator_{5};
};

TEST_P(EveryInstructionSet, SoftmaxIsThatOfTheVisibleColumns) {
  const auto ops = row_ops<float>(GetParam());
  const std::int64_t width = 45, rows = 3;
  const VisibleColumns visible[] = {{7, 0, 0}, {20, 31, 34}, {45, 0, 0}};
  const float scale = 0.5f;
  for (const float spread : {1.0f, 200.0f}) {
    const auto score = random(rows * width, spread);
    auto probability = score;  // in place, as the attention does
    float log_sum[3], inverse[3];
    ops.softmax(probability.data(), probability.data(), width, rows, width, visible, scale, log_sum,
                inverse);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto& v = visible[r];
      const auto seen = [&](std::int64_t i) {
        return i < v.limit || (i >= v.own_begin && i < v.own_end);
      };
      double top = -1e30, sum = 0;
      for (std::int64_t i = 0; i < width; ++i) {
        if (seen(i)) top = std::max(top, double(scale) * score[r * width + i]);
      }
      for (std::int64_t i = 0; i < width; ++i) {
        if (seen(i)) sum += std::exp(double(scale) * score[r * width + i] - top);
      }
      EXPECT_NEAR(log_sum[r], top + std::log(sum), 1e-5 * std::max(1.0, std::abs(top)));
      for (std::int64_t i = 0; i < width; ++i) {
        const double expected =
            seen(i) ? std::exp(double(scale) * score[r * width + i] - top) / sum : 0;
        EXPECT_NEAR(probability[r * width + i] * inverse[r], expected, 1e-5) << r << " " << i;
        if (!seen(i)) {
          EXPECT_EQ(probability[r * width + i], 0);
        }
      }
    }
  }
}

TEST_P(EveryInstructionSet, SigmoidIsAccurateOverTheWholeRange) {
  const auto ops = row_ops<float>(GetParam());
  std::vector<float> gates;
  for (float x = -100; x <= 100; x += 0.37f) gates.push_back(x);
  const auto n = static_cast<std::int64_t>(gates.size());
  std::vector<float> both = gates, out(gates.size());
  both.resize(2 * gates.size(), 1.0f);
  ops.swiglu(both.data(), out.data(), 1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = gates[i], expected = x / (1 + std::exp(-x));
    EXPECT_NEAR(out[i], expected, 3e-7 * std::max(1e-3, std::abs(expected))) << x;
  }
}

TEST_P(EveryInstructionSet, NotANumberStaysOne) {
  const auto ops = row_ops<float>(GetParam());
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> both(40, 1.0f), out(20);
  both[3] = nan;
  both[20 + 11] = nan;
  ops.swiglu(both.data(), out.data(), 1, 20);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(std::isnan(out[i]), i == 3 || i == 11) << i;
}

TEST_P(EveryInstructionSet, Bfloat16IsRoundedToTheNearestEven) {
  const auto ops = row_ops<BFloat16>(GetParam());
  // 1 + 2^-8 lies between 1 and 1 + 2^-7: to even; a little more: up; infinity and NaN stay.
  const std::vector<float> in = {1.0f + 0.00390625f,
                                 1.0f + 0.0039073f,
                                 1.01171875f,
                                 std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN(),
                                 -3.0f};
  const float one = 1;
  std::vector<BFloat16> out(in.size());
  ops.scale_rows(in.data(), &one, out.data(), 1, 0, 0, static_cast<std::int64_t>(in.size()));
  const std::uint16_t expected[] = {0x3f80, 0x3f81, 0x3f82, 0x7f80, 0x7fc0, 0xc040};
  for (std::size_t i = 0; i < in.size(); ++i) EXPECT_EQ(out[i].bits, expected[i]) << in[i];
}

TEST_P(EveryInstructionSet, Bf16BecomesTheFp32ThatItIsTheUpperHalfOf) {
  const auto ops = row_ops<BFloat16>(GetParam());
  // Two rows of three, four elements apart.
  const std::vector<BFloat16> x{{0x3f80}, {0xc040}, {0x0000}, {0x1234},
                                {0x7f80}, {0x4049}, {0x8000}, {0x1234}};
  std::vector<float> out(6, -1);
  ops.to_wide(x.data(), out.data(), 2, 4, 3);
  const float expected[] = {1, -3, 0, std::numeric_limits<float>::infinity(), 3.140625f, -0.0f};
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], expected[i]) << i;
}

TEST_P(EveryInstructionSet, AgreesWithTheBaseline) {
  const auto ops = row_ops<float>(GetParam()), base = row_ops<float>(InstructionSet::baseline);
  const std::int64_t rows = 4, width = 53;
  const auto x = random(rows * width), w = random(width), g = random(rows * width);
  const auto run = [&](const RowOps<float>& o) {
    std::vector<float> out(rows * width), scale(rows), dx(rows * width, 1), dw(width, 1), dot(rows);
    o.rms_norm(x.data(), w.data(), out.data(), scale.data(), rows, width, 1e-5f);
    o.rms_norm_backward(x.data(), w.data(), scale.data(), g.data(), dx.data(), dw.data(), rows,
                        width);
    o.row_dot(x.data(), g.data(), dot.data(), rows, width, width);
    for (const auto* more : {&dx, &dw, &dot}) out.insert(out.end(), more->begin(), more->end());
    return out;
  };
  const auto a = run(ops), b = run(base);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(All, EveryInstructionSet,
                         ::testing::Values(InstructionSet::baseline, InstructionSet::avx2,
                                           InstructionSet::avx512),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace straq::kernel
