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

std::int64_t texts_in(const std::vector<Batch>& batches) {
  std::int64_t n = 0;
  for (const auto& batch : batches) {
    for (const auto& item : batch) n += carries_text(item);
  }
  return n;
}

// Dialogues without decisions are in every epoch once, whatever cuts the batches; decisions are cut
// as if these were not there.
TEST_P(SamplerModes, TextBesideDecisionsComesOnceAndMakesNoStep) {
  const auto combs = testing::partly_labelled(101, 3);
  std::set<int> silent;
  for (int c = 0; c < 101; ++c) {
    if (combs[static_cast<std::size_t>(c)].decisions.empty()) silent.insert(c);
  }
  ASSERT_EQ(silent.size(), 50u);
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    const auto batches = epoch_batches(combs, GetParam(), 16, 1000000, 7, epoch, Texts::beside);
    EXPECT_EQ(texts_in(batches), 101);
    std::multiset<int> found;
    for (const auto& batch : batches) {
      EXPECT_GT(size_of(batch), 0) << "a step that learns no decision";
      for (const auto& item : batch) {
        if (item.count() == 0) found.insert(item.comb);
      }
    }
    EXPECT_EQ(found, std::multiset<int>(silent.begin(), silent.end()));
    const auto seen = counts(batches);
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), decisions(combs));
    for (const auto& [key, n] : seen) EXPECT_EQ(n, 1);
    if (GetParam() == Batching::whole) continue;
    for (std::size_t i = 0; i + 1 < batches.size(); ++i) EXPECT_EQ(size_of(batches[i]), 16);
    EXPECT_EQ(static_cast<std::int64_t>(batches.size()), (decisions(combs) + 15) / 16);
  }
}

// Where text is all that is learned a step has about as much of it whether dialogues have decisions
// or not.
TEST_P(SamplerModes, TextAloneIsCutByItsLength) {
  for (const int labelled : {101, 50, 0}) {
    SCOPED_TRACE(labelled);
    auto combs = testing::random_combs(101, 3);
    for (std::size_t c = static_cast<std::size_t>(labelled); c < combs.size(); ++c) {
      combs[c].trunks.resize(1);
      combs[c].probes.clear();
      combs[c].decisions.clear();
    }
    const auto batches = epoch_batches(combs, GetParam(), 16, 1000000, 7, 0, Texts::alone);
    EXPECT_EQ(texts_in(batches), 101);
    EXPECT_EQ(static_cast<std::int64_t>(counts(batches).size()), decisions(combs));
    std::int64_t all = 0, weight = 0;
    for (const auto w : batch_weights(combs, Texts::alone)) weight += w;
    for (const auto& comb : combs) all += text_tokens(comb);
    const double mean = static_cast<double>(all) / static_cast<double>(batches.size());
    // One in 64 tokens where nothing has a decision.
    EXPECT_NEAR(static_cast<double>(batches.size()), static_cast<double>(weight) / 16,
                0.2 * static_cast<double>(batches.size()) + 1);
    if (labelled > 0) {
      EXPECT_NEAR(mean, 16.0 * 6, 16.0 * 3);
    }
    if (GetParam() == Batching::uniform) continue;  // a decision drawn alone has no text, or all
    for (std::size_t i = 0; i + 1 < batches.size(); ++i) {
      std::int64_t here = 0;
      for (const auto& item : batches[i]) {
        if (carries_text(item)) here += text_tokens(combs[static_cast<std::size_t>(item.comb)]);
      }
      EXPECT_GT(static_cast<double>(here), 0.2 * mean);
      EXPECT_LT(static_cast<double>(here), 2.5 * mean);
    }
  }
}

// Where every dialogue has decisions, and where no text is learned, nothing changes.
TEST_P(SamplerModes, TextChangesNoBatchOfDialoguesThatHaveDecisions) {
  const auto flat = [&](const std::vector<prompt::Comb>& combs, Texts texts) {
    std::vector<std::vector<int>> out;
    for (const auto& batch : epoch_batches(combs, GetParam(), 16, 300, 7, 2, texts)) {
      out.push_back({-1});
      for (const auto& i : batch) out.push_back({i.comb, i.first, i.last});
    }
    return out;
  };
  const auto labelled = testing::random_combs(101, 3);
  EXPECT_EQ(flat(labelled, Texts::beside), flat(labelled, Texts::none));
  EXPECT_EQ(flat(labelled, Texts::alone), flat(labelled, Texts::none));
  const auto partly = testing::partly_labelled(101, 3);
  for (const auto& item : flat(partly, Texts::none)) {
    EXPECT_TRUE(item.size() == 1 || item[2] > item[1]);
  }
}

TEST(Sampler, AStageKnowsWhatItMakesOfTextAlone) {
  EXPECT_EQ(texts_of({1, 0, 0}), Texts::none);
  EXPECT_EQ(texts_of({1, 0, 0.5}), Texts::beside);
  EXPECT_EQ(texts_of({0, 1, 0.5}), Texts::beside);
  EXPECT_EQ(texts_of({0, 0, 0.5}), Texts::alone);
  // A dialogue whose text does not reach beyond the instruction has nothing to give.
  auto combs = testing::partly_labelled(2, 3);
  combs[1].trunks.front().tokens.resize(4);
  EXPECT_EQ(batch_weights(combs, Texts::alone)[1], -1);
  EXPECT_EQ(batch_weights(combs, Texts::beside)[1], -1);
}

TEST(Sampler, TextAloneIsCutIntoForwardPasses) {
  const auto combs = testing::partly_labelled(60, 3, 1);
  const auto batch = epoch_batches(combs, Batching::exact, 64, 1000000, 7, 0, Texts::alone).front();
  for (const auto& micro : micro_batches(batch, combs, 150)) {
    std::int64_t tokens = 0;
    for (const auto& item : micro) {
      const auto& comb = combs[static_cast<std::size_t>(item.comb)];
      if (item.count() == 0) {
        EXPECT_EQ(item_tokens(comb, item),
                  static_cast<std::int64_t>(comb.trunks.front().tokens.size()));
      }
      tokens += item_tokens(comb, item);
    }
    EXPECT_TRUE(tokens <= 150 || micro.size() == 1);
  }
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
