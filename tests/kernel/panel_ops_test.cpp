#include "kernel/panel_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace straq::kernel {
namespace {

// A matrix W [columns, depth] as panels of any type.
template <class T, class F>
std::vector<T> panels_of(std::int64_t columns, std::int64_t depth, F&& value) {
  const auto panels = (columns + kPanel - 1) / kPanel;
  std::vector<T> out(static_cast<std::size_t>(panels * depth * kPanel));
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t k = 0; k < depth; ++k) {
      out[static_cast<std::size_t>((c / kPanel * depth + k) * kPanel + c % kPanel)] = value(c, k);
    }
  }
  return out;
}

class PanelOpsOf : public ::testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!runs(GetParam())) GTEST_SKIP() << "this processor has no " << name_of(GetParam());
  }
  std::vector<float> random(std::int64_t n) {
    std::vector<float> out(static_cast<std::size_t>(n));
    std::normal_distribution<float> normal(0, 1);
    for (auto& x : out) x = normal(generator_);
    return out;
  }
  std::mt19937 generator_{7};
};

TEST_P(PanelOpsOf, ProductsAreThoseOfTheMatrixForAnyNumberOfRowsAndColumns) {
  const auto ops = panel_ops(GetParam());
  for (const std::int64_t columns : {1, 15, 16, 33, 64, 130}) {
    for (const std::int64_t depth : {1, 32, 77}) {
      const auto w = random(columns * depth);
      const auto b = panels_of<float>(columns, depth, [&](auto c, auto k) {
        return w[static_cast<std::size_t>(c * depth + k)];
      });
      for (const std::int64_t rows : {1, 2, 3, 7, 12, 29}) {
        const auto a = random(rows * depth);
        auto c = random(rows * (columns + 3));
        const auto before = c;
        for (const bool add : {false, true}) {
          c = before;
          ops.multiply(a.data(), depth, {b.data(), kPanel, depth * kPanel}, c.data(), columns + 3,
                       rows, depth, columns, add);
          for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t j = 0; j < columns + 3; ++j) {
              const auto at = static_cast<std::size_t>(i * (columns + 3) + j);
              double expected = add || j >= columns ? before[at] : 0;
              for (std::int64_t k = 0; j < columns && k < depth; ++k) {
                expected += static_cast<double>(a[static_cast<std::size_t>(i * depth + k)]) *
                            w[static_cast<std::size_t>(j * depth + k)];
              }
              ASSERT_NEAR(c[at], expected, 1e-4)
                  << rows << " rows, " << columns << " columns, depth " << depth << " at " << i
                  << ", " << j;
            }
          }
        }
      }
    }
  }
}

// What lets a reply be the same in any batch.
TEST_P(PanelOpsOf, ARowHasTheSameBitsInAnyCompany) {
  const auto ops = panel_ops(GetParam());
  const std::int64_t rows = 53, columns = 144, depth = 96;
  const auto a = random(rows * depth);
  const auto w = random(columns * depth);
  const auto wide = panels_of<float>(
      columns, depth, [&](auto c, auto k) { return w[static_cast<std::size_t>(c * depth + k)]; });
  const auto narrow = panels_of<BFloat16>(columns, depth, [&](auto c, auto k) {
    std::uint32_t bits;
    std::memcpy(&bits, &w[static_cast<std::size_t>(c * depth + k)], sizeof bits);
    return BFloat16{static_cast<std::uint16_t>(bits >> 16)};
  });
  const auto bytes = panels_of<std::int8_t>(columns, depth, [&](auto c, auto k) {
    return static_cast<std::int8_t>(40 * w[static_cast<std::size_t>(c * depth + k)]);
  });
  const auto scales = random(columns / kPanel * (depth / kScaleBlock) * kPanel);
  std::vector<float> scratch(static_cast<std::size_t>(depth * 2 * kPanel));
  for (int kind = 0; kind < 3; ++kind) {
    const auto product = [&](std::int64_t first, std::int64_t count) {
      std::vector<float> c(static_cast<std::size_t>(count * columns));
      const float* in = a.data() + first * depth;
      if (kind == 0) {
        ops.multiply(in, depth, {wide.data(), kPanel, depth * kPanel}, c.data(), columns, count,
                     depth, columns, false);
      } else if (kind == 1) {
        ops.multiply_bf16(in, depth, narrow.data(), scratch.data(), c.data(), columns, count, depth,
                          columns);
      } else {
        ops.multiply_int8(in, depth, {bytes.data(), scales.data()}, scratch.data(), c.data(),
                          columns, count, depth, columns);
      }
      return c;
    };
    const auto together = product(0, rows);
    for (const std::int64_t count : {1, 2, 5, 6, 13, 24}) {
      for (std::int64_t first = 0; first + count <= rows; first += count) {
        const auto part = product(first, count);
        ASSERT_EQ(0, std::memcmp(part.data(), together.data() + first * columns,
                                 part.size() * sizeof(float)))
            << "kind " << kind << ", rows " << first << " to " << first + count;
      }
    }
  }
}

TEST_P(PanelOpsOf, NarrowWeightsAreWhatTheyStandFor) {
  const auto ops = panel_ops(GetParam());
  const std::int64_t columns = 20, depth = 70, blocks = 3;
  const auto a = random(depth);
  const auto bytes = panels_of<std::int8_t>(
      columns, depth, [&](auto c, auto k) { return static_cast<std::int8_t>(c * 7 - k); });
  const auto scales = panels_of<float>(
      columns, blocks, [&](auto c, auto b) { return 0.01f * static_cast<float>(c + b + 1); });
  std::vector<float> scratch(static_cast<std::size_t>(depth * 2 * kPanel)), c(columns);
  ops.multiply_int8(a.data(), depth, {bytes.data(), scales.data()}, scratch.data(), c.data(),
                    columns, 1, depth, columns);
  for (std::int64_t j = 0; j < columns; ++j) {
    double expected = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      expected += a[static_cast<std::size_t>(k)] * static_cast<std::int8_t>(j * 7 - k) * 0.01 *
                  static_cast<double>(j + k / kScaleBlock + 1);
    }
    EXPECT_NEAR(c[static_cast<std::size_t>(j)], expected, 1e-3 + 1e-5 * std::abs(expected));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, PanelOpsOf,
                         ::testing::Values(InstructionSet::baseline, InstructionSet::avx2,
                                           InstructionSet::avx512),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace straq::kernel
