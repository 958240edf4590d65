#include "model/comb_batch.h"

#include "model_helpers.h"
#include "tests/testing.h"

namespace straq::model {
namespace {

// Trunk 0: 10 11 12 13 14, probes [20 21] after two tokens and [22] after four.
// Trunk 1: 15 16 17, probe [23 24] after three.
prompt::Comb example() {
  prompt::Comb comb;
  comb.id = "example";
  comb.trunks = {{{10, 11, 12, 13, 14}, 1}, {{15, 16, 17}, 1}};
  comb.probes = {{0, 2, {20, 21}}, {0, 4, {22}}, {1, 3, {23, 24}}};
  return comb;
}

at::Tensor longs(std::vector<std::int64_t> v) {
  return at::tensor(v, at::kLong);
}

TEST(Pack, LaysTrunkThenProbesAndCutsTheTrunkAfterTheLastTokenSeen) {
  const auto comb = example();
  const auto batch = pack({{&comb, {0, 1, 2}, false}}, at::kCPU);
  EXPECT_EQ(batch.rows, 12);
  EXPECT_TRUE(at::equal(batch.tokens, longs({10, 11, 12, 13, 20, 21, 22, 15, 16, 17, 23, 24})));
  EXPECT_TRUE(at::equal(batch.positions, longs({0, 1, 2, 3, 2, 3, 4, 0, 1, 2, 3, 4})));
  EXPECT_TRUE(at::equal(batch.readout_rows, longs({5, 6, 11})));
  ASSERT_EQ(batch.spans.size(), 2u);
  EXPECT_EQ(batch.spans[0].trunk, 4);
  EXPECT_EQ(batch.spans[0].probes, 3);
  EXPECT_EQ(batch.spans[1].begin, 7);
  EXPECT_EQ(batch.spans[1].trunk_index, 1);
  const auto& rows = batch.spans[0].probe_rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(std::pair(rows[0].attach, rows[0].begin), std::pair(2, 0));
  EXPECT_EQ(std::pair(rows[1].attach, rows[1].begin), std::pair(2, 0));
  EXPECT_EQ(std::pair(rows[2].attach, rows[2].begin), std::pair(4, 2));
  EXPECT_EQ(batch.max_position, 4);
  EXPECT_EQ(batch.min_token, 10);
  EXPECT_EQ(batch.max_token, 24);
}

TEST(Pack, ASelectionOfProbesLeavesOutTrunksThatNoneHangsOn) {
  const auto comb = example();
  const auto batch = pack({{&comb, {2}, false}, {&comb, {0}, false}}, at::kCPU);
  EXPECT_TRUE(at::equal(batch.tokens, longs({15, 16, 17, 23, 24, 10, 11, 20, 21})));
  EXPECT_TRUE(at::equal(batch.readout_rows, longs({4, 8})));
  EXPECT_EQ(batch.spans[1].selection, 1);
}

TEST(Pack, AWholeTrunkKeepsItsEndAndIsThereWithoutProbes) {
  const auto comb = example();
  const auto batch = pack({{&comb, {0}, true}, {&comb, {}, true}, {&comb, {}, false}}, at::kCPU);
  ASSERT_EQ(batch.spans.size(), 2u);
  EXPECT_EQ(batch.spans[0].trunk, 5);
  EXPECT_EQ(batch.spans[0].probes, 2);
  EXPECT_EQ(batch.spans[1].trunk, 5);
  EXPECT_EQ(batch.spans[1].probes, 0);
  EXPECT_TRUE(batch.spans[1].probe_rows.empty());
}

TEST(Pack, WhatAllTrunksBeginWithIsLaidOnce) {
  auto a = testing::random_comb(1, {30}, 2), b = testing::random_comb(2, {25}, 1);
  testing::share_beginning({&a, &b}, 12);
  a.trunks[0].tokens[12] = 1;
  b.trunks[0].tokens[12] = 2;
  const std::vector<CombSelection> both{{&a, {0, 1}, false}, {&b, {0}, false}};
  const auto shared = pack(both, at::kCPU), apart = pack(both, at::kCPU, false);
  EXPECT_EQ(shared.prefix, 12);
  EXPECT_EQ(apart.prefix, 0);
  EXPECT_EQ(shared.rows, apart.rows - 12);
  for (std::size_t s = 0; s < 2; ++s) {
    const auto &x = shared.spans[s], &y = apart.spans[s];
    ASSERT_EQ(shared.trunk_tokens(x), y.trunk);
    for (std::int64_t i = 0; i < y.trunk; ++i) {
      const auto row = shared.trunk_row(x, i), other = apart.trunk_row(y, i);
      EXPECT_EQ(shared.tokens[row].item<std::int64_t>(), apart.tokens[other].item<std::int64_t>());
      EXPECT_EQ(shared.positions[row].item<std::int64_t>(), i);
    }
  }
  EXPECT_TRUE(at::equal(shared.tokens.index_select(0, shared.readout_rows),
                        apart.tokens.index_select(0, apart.readout_rows)));
}

TEST(Pack, AProbeInsideTheCommonBeginningLimitsWhatIsShared) {
  auto a = testing::random_comb(1, {30}, 1), b = testing::random_comb(2, {30}, 1);
  testing::share_beginning({&a, &b}, 20);
  a.probes[0].attach = 15;  // must not see tokens 15 to 19
  EXPECT_EQ(pack({{&a, {0}, true}, {&b, {0}, true}}, at::kCPU).prefix, 15);
}

TEST(Pack, ReadoutsFollowTheGivenProbesWhenTheirTrunksAreInAnotherOrder) {
  auto comb = example();
  std::swap(comb.probes[0], comb.probes[2]);  // probe 0 hangs on trunk 1 now
  const auto batch = pack({{&comb, {0, 1, 2}, false}}, at::kCPU);
  EXPECT_TRUE(at::equal(batch.tokens.index_select(0, batch.readout_rows), longs({24, 22, 21})));
}

// A supporter's line begins with what the probe asks with; such rows are the trunk's own.
TEST(Pack, WhatTheTrunkGoesOnWithIsNotLaidAgainForAProbe) {
  auto comb = example();
  comb.probes[0].tokens = {12, 13};      // wholly: read at the trunk's token 3
  comb.probes[1].tokens = {14, 30};      // its first token only
  comb.probes[2].tokens = {15, 16, 17};  // nothing follows in trunk 1
  const auto batch = pack({{&comb, {0, 1, 2}, false}}, at::kCPU);
  EXPECT_TRUE(at::equal(batch.tokens, longs({10, 11, 12, 13, 14, 30, 15, 16, 17, 15, 16, 17})));
  EXPECT_TRUE(at::equal(batch.positions, longs({0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5})));
  EXPECT_TRUE(at::equal(batch.readout_rows, longs({3, 5, 11})));
  EXPECT_EQ(batch.spans[0].trunk, 5);
  ASSERT_EQ(batch.spans[0].probe_rows.size(), 1u);
  EXPECT_EQ(batch.spans[0].probe_rows[0].attach, 5);

  // Alone, the trunk is cut where the probe is read.
  const auto first = pack({{&comb, {0}, false}}, at::kCPU);
  EXPECT_TRUE(at::equal(first.tokens, longs({10, 11, 12, 13})));
  EXPECT_TRUE(at::equal(first.readout_rows, longs({3})));
}

TEST(Pack, AProbeThatIsAllTrunkIsReadBehindTheCommonBeginning) {
  auto a = testing::random_comb(1, {30}, 1), b = testing::random_comb(2, {30}, 1);
  testing::share_beginning({&a, &b}, 20);
  const auto& tokens = a.trunks[0].tokens;
  a.probes[0].attach = 15;
  a.probes[0].tokens = {tokens[15], tokens[16]};
  const auto batch = pack({{&a, {0}, true}, {&b, {0}, true}}, at::kCPU);
  EXPECT_EQ(batch.prefix, 15);
  EXPECT_EQ(batch.readout_rows[0].item<std::int64_t>(), batch.spans[0].begin + 1);
}

TEST(Pack, NothingSelectedIsAnEmptyBatch) {
  const auto batch = pack({}, at::kCPU);
  EXPECT_EQ(batch.rows, 0);
  EXPECT_EQ(batch.readout_rows.numel(), 0);
}

TEST(Pack, RefusesSelectionsAndCombsThatDoNotFit) {
  const auto good = example();
  const auto refuses = [](const prompt::Comb& comb, std::vector<std::int32_t> probes,
                          const std::string& words) {
    const auto error = straq::testing::error_of([&] {
      pack({{&comb, std::move(probes), false}}, at::kCPU);
    });
    ASSERT_TRUE(error);
    EXPECT_NE(std::string(error->what()).find("comb example: " + words), std::string::npos)
        << error->what();
  };
  refuses(good, {3}, "probe 3 is not one of its 3");
  refuses(good, {1, 0}, "probe 0 is not one of its 3 probes in ascending order");
  refuses(good, {-1}, "probe -1");
  auto bad = good;
  bad.probes[1].attach = 6;
  refuses(bad, {1}, "probe 1 is attached after token 6 of a trunk of 5");
  bad = good;
  bad.probes[0].trunk = 2;
  refuses(bad, {0}, "probe 0 hangs on trunk 2 of 2");
  bad = good;
  bad.probes[0].tokens.clear();
  refuses(bad, {0}, "probe 0 has no token");
}

}  // namespace
}  // namespace straq::model
