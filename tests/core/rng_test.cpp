// Random numbers are pure functions of (seed, stream, index, draw): the known answers of the
// generator's authors, and that nothing else changes a draw.
#include "core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace straq {
namespace {

using Block = std::array<std::uint32_t, 4>;

// philox4x32-10 of the Random123 distribution's known-answer file (Salmon et al.).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32(0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint64_t ones = ~0ull;
  EXPECT_EQ(philox4x32(ones, ones, ones), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Digits of pi: counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0.
  EXPECT_EQ(philox4x32(0x299f31d0a4093822ull, 0x85a308d3243f6a88ull, 0x0370734413198a2eull),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRng, DrawsArePartsOfPhiloxBlocks) {
  CounterRng rng(5, "stream", 9);
  const std::uint64_t key = 5 ^ stream_id("stream");
  for (std::uint64_t counter = 0; counter < 3; ++counter) {
    const Block b = philox4x32(key, counter, 9);
    EXPECT_EQ(rng.next_u64(), b[0] | static_cast<std::uint64_t>(b[1]) << 32);
    EXPECT_EQ(rng.next_u64(), b[2] | static_cast<std::uint64_t>(b[3]) << 32);
  }
}

TEST(CounterRng, StreamsIndicesAndSeedsAreIndependent) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const char* stream : {"negatives", "shuffle", "init"}) {
      for (std::uint64_t index = 0; index < 10; ++index) {
        first.insert(CounterRng(seed, stream, index).next_u64());
      }
    }
  }
  EXPECT_EQ(first.size(), 300u);
}

TEST(CounterRng, UniformBelowAndNormalHaveTheirMoments) {
  CounterRng rng(1, "moments");
  const int n = 200000;
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  std::array<int, 7> counts{};
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
    const auto k = rng.below(7);
    ASSERT_LT(k, 7u);
    ++counts[k];
    const double z = rng.normal();
    ASSERT_TRUE(std::isfinite(z));
    normal_sum += z;
    normal_squares += z * z;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.004);
  EXPECT_NEAR(squares / n, 1.0 / 3, 0.004);
  EXPECT_NEAR(normal_sum / n, 0, 0.012);
  EXPECT_NEAR(normal_squares / n, 1, 0.015);
  for (int c : counts) EXPECT_NEAR(c / double(n), 1.0 / 7, 0.004);
  EXPECT_EQ(rng.below(1), 0u);
}

TEST(CounterRng, CategoricalFollowsTheWeightsAndNeverDrawsZero) {
  CounterRng rng(2, "categorical");
  const std::vector<double> weights = {0, 3, 0, 1, 0};
  std::array<int, 5> counts{};
  for (int i = 0; i < 40000; ++i) ++counts[rng.categorical(weights)];
  EXPECT_EQ(counts[0] + counts[2] + counts[4], 0);
  EXPECT_NEAR(counts[1] / 40000.0, 0.75, 0.01);
}

TEST(Shuffle, IsAPermutationAndAlwaysTheSame) {
  std::vector<int> a(100);
  std::iota(a.begin(), a.end(), 0);
  std::vector<int> b = a;
  CounterRng x(3, "shuffle", 1), y(3, "shuffle", 1);
  shuffle(a, x);
  shuffle(b, y);
  EXPECT_EQ(a, b);
  std::vector<int> sorted = a;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NE(a, sorted);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sorted[static_cast<std::size_t>(i)], i);
  std::vector<int> empty;
  shuffle(empty, x);
  EXPECT_TRUE(empty.empty());
}

TEST(StreamId, IsFnv1a) {
  EXPECT_EQ(stream_id(""), 0xcbf29ce484222325ull);
  EXPECT_EQ(stream_id("a"), 0xaf63dc4c8601ec8cull);
  EXPECT_EQ(stream_id("foobar"), 0x85944171f73967e8ull);
}

}  // namespace
}  // namespace straq
