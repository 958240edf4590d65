#include "planner/balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/rng.h"
#include "tests/planner/combs.h"

namespace straq::planner {
namespace {

std::int64_t load(const Batch& share, const std::vector<prompt::Comb>& combs,
                  const ItemCost& cost) {
  std::int64_t sum = 0;
  for (const auto& item : share) sum += item_operations(combs[item.comb], item, cost);
  return sum;
}

// Whole dialogues in random order, in batches of at least so many decisions.
std::vector<Batch> batches_of(const std::vector<prompt::Comb>& combs, int decisions) {
  std::vector<std::size_t> order(combs.size());
  std::iota(order.begin(), order.end(), 0);
  CounterRng rng(7, "order");
  shuffle(order, rng);
  std::vector<Batch> out(1);
  int held = 0;
  for (const std::size_t c : order) {
    if (held >= decisions) out.emplace_back(), held = 0;
    const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
    out.back().push_back({static_cast<std::int32_t>(c), 0, n});
    held += n;
  }
  return out;
}

TEST(Balance, SharesPartitionTheBatchInItsOrder) {
  const auto combs = testing::random_combs(101, 3);
  for (const auto& batch : batches_of(combs, 64)) {
    for (const int size : {1, 2, 3, 5, 40}) {
      std::set<std::pair<int, int>> seen;
      std::size_t items = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Batch share = share_of(batch, combs, rank, size, {1000, 3, 0});
        items += share.size();
        auto at = batch.begin();
        for (const auto& item : share) {
          seen.insert({item.comb, item.first});
          at = std::find_if(at, batch.end(), [&](const BatchItem& b) {
            return b.comb == item.comb && b.first == item.first && b.last == item.last;
          });
          ASSERT_NE(at, batch.end());
        }
      }
      EXPECT_EQ(items, batch.size());
      EXPECT_EQ(seen.size(), batch.size());
    }
  }
}

// Longest first gives 30 + 20 + 20 against 30 + 20.
TEST(Balance, FindsTheEvenDivisionThatLongestFirstMisses) {
  std::vector<prompt::Comb> combs;
  Batch batch;
  for (const int length : {30, 30, 20, 20, 20}) {
    prompt::Comb comb;
    comb.trunks.push_back({std::vector<prompt::TokenId>(static_cast<std::size_t>(length), 1), 0});
    comb.probes.push_back({0, length, {}});
    comb.decisions.push_back({0, 0, -1, true});
    batch.push_back({static_cast<std::int32_t>(combs.size()), 0, 1});
    combs.push_back(comb);
  }
  EXPECT_EQ(load(share_of(batch, combs, 0, 2), combs, {}), 60);
  EXPECT_EQ(load(share_of(batch, combs, 1, 2), combs, {}), 60);
}

// Against all divisions of small batches among two learners.
TEST(Balance, IsTheBestDivisionBetweenTwo) {
  const auto combs = testing::random_combs(60, 9);
  const ItemCost cost{1000, 20, 0};
  int batches = 0;
  for (const auto& batch : batches_of(combs, 40)) {
    if (batch.size() > 12) continue;
    ++batches;
    const auto all = load(batch, combs, cost);
    auto best = all;
    for (unsigned mask = 0; mask < 1U << batch.size(); ++mask) {
      Batch part;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (mask >> i & 1U) part.push_back(batch[i]);
      }
      const auto one = load(part, combs, cost);
      best = std::min(best, std::max(one, all - one));
    }
    EXPECT_EQ(std::max(load(share_of(batch, combs, 0, 2, cost), combs, cost),
                       load(share_of(batch, combs, 1, 2, cost), combs, cost)),
              best);
  }
  EXPECT_GT(batches, 3);
}

TEST(Balance, MoreLearnersThanItemsLeavesSomeWithNothing) {
  const auto combs = testing::random_combs(1, 3);
  const Batch batch = {{0, 0, 2}};
  EXPECT_EQ(share_of(batch, combs, 0, 3).size() + share_of(batch, combs, 1, 3).size() +
                share_of(batch, combs, 2, 3).size(),
            1u);
}

TEST(Balance, LongTrunksWeighMoreThanTheirRows) {
  const auto shape = testing::small_shape();
  const auto cost = cost_in(shape, false);
  prompt::Comb comb;
  comb.trunks.push_back({std::vector<prompt::TokenId>(100, 1), 0});
  comb.probes = {{0, 50, {1}}, {0, 100, {1}}};
  comb.decisions = {{0, 0, -1, false}, {1, 0, -1, true}};
  const auto half = item_operations(comb, {0, 0, 1}, cost),
             whole = item_operations(comb, {0, 1, 2}, cost);
  EXPECT_GT(whole, 2 * half * 101 / 102);
  // The text of a dialogue is read by whoever has its first decision.
  const auto lm = cost_in(shape, true);
  EXPECT_GT(item_operations(comb, {0, 0, 1}, lm), item_operations(comb, {0, 1, 2}, lm));
}

}  // namespace
}  // namespace straq::planner
