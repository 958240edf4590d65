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
  const auto expected = longs({1, 1, 0, 0, 1, 0, 0,  //
                               1, 1, 0, 0, 1, 1, 0,  //
                               1, 1, 1, 1, 0, 0, 1})
                            .view({3, 7})
                            .to(at::kBool);
  EXPECT_TRUE(at::equal(batch.spans[0].probe_mask, expected));
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
  EXPECT_FALSE(batch.spans[1].probe_mask.defined());
}

TEST(Pack, ReadoutsFollowTheGivenProbesWhenTheirTrunksAreInAnotherOrder) {
  auto comb = example();
  std::swap(comb.probes[0], comb.probes[2]);  // probe 0 hangs on trunk 1 now
  const auto batch = pack({{&comb, {0, 1, 2}, false}}, at::kCPU);
  EXPECT_TRUE(at::equal(batch.tokens.index_select(0, batch.readout_rows), longs({24, 22, 21})));
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
