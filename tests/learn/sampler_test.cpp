#include "learn/sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/learn/learn_helpers.h"

namespace straq::learn {
namespace {

using Key = std::pair<int, int>;

std::map<Key, int> counts(const std::vector<Batch>& batches) {
  std::map<Key, int> seen;
  for (const auto& batch : batches) {
    for (const auto& item : batch) {
      for (auto d = item.first; d < item.last; ++d) ++seen[{item.comb, d}];
    }
  }
  return seen;
}

std::int64_t size_of(const Batch& batch) {
  std::int64_t n = 0;
  for (const auto& item : batch) n += item.count();
  return n;
}

std::int64_t decisions(const std::vector<prompt::Comb>& combs) {
  std::int64_t n = 0;
  for (const auto& c : combs) n += static_cast<std::int64_t>(c.decisions.size());
  return n;
}

class SamplerModes : public ::testing::TestWithParam<Batching> {};

TEST_P(SamplerModes, EveryDecisionOncePerEpoch) {
  const auto combs = testing::random_combs(101, 3);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const auto seen = counts(epoch_batches(combs, GetParam(), 16, 1000000, 7, epoch));
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), decisions(combs));
    for (const auto& [key, n] : seen) EXPECT_EQ(n, 1);
  }
}

TEST_P(SamplerModes, PureFunctionOfSeedAndEpoch) {
  const auto combs = testing::random_combs(40, 3);
  auto flat = [&](std::uint64_t seed, std::int64_t epoch) {
    std::vector<std::vector<int>> out;
    for (const auto& batch : epoch_batches(combs, GetParam(), 16, 1000000, seed, epoch)) {
      for (const auto& i : batch) out.push_back({i.comb, i.first, i.last});
    }
    return out;
  };
  EXPECT_EQ(flat(1, 0), flat(1, 0));
  EXPECT_NE(flat(1, 0), flat(1, 1));
  EXPECT_NE(flat(1, 0), flat(2, 0));
}

INSTANTIATE_TEST_SUITE_P(All, SamplerModes,
                         ::testing::Values(Batching::exact, Batching::whole, Batching::uniform));

TEST(Sampler, ExactBatchesHaveTheirExactSize) {
  const auto combs = testing::random_combs(101, 3);
  const auto batches = epoch_batches(combs, Batching::exact, 16, 1000000, 7, 0);
  for (std::size_t i = 0; i + 1 < batches.size(); ++i) EXPECT_EQ(size_of(batches[i]), 16);
  EXPECT_EQ(size_of(batches.back()), decisions(combs) % 16 == 0 ? 16 : decisions(combs) % 16);
}

TEST(Sampler, WholeBatchesKeepDialoguesWholeAndSizesNear) {
  const auto combs = testing::random_combs(101, 3);
  const auto batches = epoch_batches(combs, Batching::whole, 16, 1000000, 7, 0);
  for (const auto& batch : batches) {
    for (const auto& item : batch) {
      EXPECT_EQ(item.first, 0);
      EXPECT_EQ(item.last, static_cast<int>(combs[item.comb].decisions.size()));
    }
  }
  for (std::size_t i = 0; i + 1 < batches.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(size_of(batches[i])), 16, 5);  // dialogues have 2 to 9
  }
}

TEST(Sampler, SmallBufferShufflesLocally) {
  const auto combs = testing::random_combs(200, 3);
  const auto wide = epoch_batches(combs, Batching::whole, 16, 1000000, 7, 0);
  const auto narrow = epoch_batches(combs, Batching::whole, 16, 20, 7, 0);
  auto displacement = [](const std::vector<Batch>& batches) {
    double total = 0;
    int at = 0;
    for (const auto& b : batches) {
      for (const auto& i : b) total += std::abs(i.comb - at++);
    }
    return total / at;
  };
  EXPECT_GT(displacement(wide), 40);    // a uniform permutation of 200 moves by 66 on average
  EXPECT_LT(displacement(narrow), 10);  // a buffer of 20 decisions holds about 4 dialogues
}

TEST(Sampler, MicroBatchesKeepWithinTheirTokens) {
  const auto combs = testing::random_combs(60, 3);
  const auto batch = epoch_batches(combs, Batching::exact, 64, 1000000, 7, 0).front();
  const auto micros = micro_batches(batch, combs, 150);
  EXPECT_GT(micros.size(), 2u);
  EXPECT_EQ(counts(micros), counts({batch}));
  for (const auto& micro : micros) {
    std::int64_t tokens = 0;
    for (const auto& item : micro) tokens += item_tokens(combs[item.comb], item);
    EXPECT_TRUE(tokens <= 150 || micro.size() == 1);
  }
}

}  // namespace
}  // namespace straq::learn
