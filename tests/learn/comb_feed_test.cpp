// A split that is larger than memory gives the batches that it gives in memory, with their
// dialogues, and holds no more of them than the shuffle buffer and its shards.
#include "learn/comb_feed.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "learn/learner.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

class Feed : public ::testing::Test {
 protected:
  Feed() {
    config.batch = 16;
    config.replay.capacity = 120;
    manifest.corpus = "made-up";
    manifest.parts = {"source", "tokenizer", "prompt", 512, "{}", kPerShard};
    manifest.key = manifest.parts.hex();
    manifest.vocab_size = testing::kVocab;
    for (const auto id : testing::kOptions) {
      manifest.option_ids.push_back(static_cast<std::int32_t>(id));
      manifest.strategies.push_back("s" + std::to_string(id));
    }
    const auto count = static_cast<std::int64_t>(combs.size());
    manifest.splits = {{"train", count}};
    for (const auto& item : shard::plan_items(manifest.splits, kPerShard)) {
      manifest.shards.push_back({item, {}});
      const auto first = combs.begin() + item.first;
      manifest.add(shard::write_shard(folder.path(item.file()), manifest.header(item),
                                      {first, first + item.count}));
    }
    manifest.write(folder.path());
  }
  shard::DatasetView view() const { return shard::open_dataset(folder.path(), {}, {}, {"train"}); }
  BatchStream stream() const { return {combs, config, config.objective, 7}; }
  CombTransitions transitions() const { return comb_transitions(combs, config, 8, 1); }

  static constexpr std::int64_t kPerShard = 20;
  std::vector<prompt::Comb> combs = testing::random_combs(200, 3);
  LearnConfig config = testing::plain_config();
  shard::Manifest manifest;
  TemporaryFolder folder;
};

// The batch in the terms of the split.
std::vector<std::array<std::int64_t, 3>> items(const FedBatch& fed) {
  std::vector<std::array<std::int64_t, 3>> out;
  for (const auto& item : fed.batch) {
    out.push_back({fed.numbers.at(static_cast<std::size_t>(item.comb)), item.first, item.last});
  }
  return out;
}

TEST_F(Feed, BatchesAreThoseOfMemoryWithTheirDialogues) {
  for (const Batching mode : {Batching::exact, Batching::whole, Batching::uniform}) {
    config.replay.mode = mode;
    BatchStream at = stream();
    CombFeed feed(view().reader("train"));
    while (at.epoch() < 2) {
      const Batch batch = at.next();
      const FedBatch fed = feed.take(at);
      const auto got = items(fed);
      ASSERT_EQ(got.size(), batch.size());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        EXPECT_EQ(got[i],
                  (std::array<std::int64_t, 3>{batch[i].comb, batch[i].first, batch[i].last}));
        const auto& comb = fed.combs[static_cast<std::size_t>(fed.batch[i].comb)];
        EXPECT_EQ(comb.id, combs[static_cast<std::size_t>(batch[i].comb)].id);
      }
    }
  }
}

TEST_F(Feed, GoingOnInTheMiddleOfAnEpochGivesTheSame) {
  BatchStream taken = stream();
  CombFeed first(view().reader("train"));
  for (int i = 0; i < 37; ++i) {
    taken.next();
    first.take(taken);
  }
  BatchStream skipped = stream();
  skipped.skip(37);
  CombFeed second(view().reader("train"));
  for (int i = 0; i < 60; ++i) {  // into the next epoch
    taken.next(), skipped.next();
    EXPECT_EQ(items(first.take(taken)), items(second.take(skipped)));
  }
  EXPECT_GT(taken.epoch(), 0);
}

TEST_F(Feed, NoMoreIsHeldThanTheBufferAndItsShards) {
  BatchStream at = stream();
  CombFeed feed(view().reader("train"));
  std::size_t most = 0;
  std::int64_t decisions = 0;
  for (const auto& comb : combs) decisions += static_cast<std::int64_t>(comb.decisions.size());
  for (at.next(); at.epoch() == 0; at.next()) {
    feed.take(at);
    most = std::max(most, feed.held());
  }
  const auto of_buffer = static_cast<std::size_t>(
      config.replay.capacity * static_cast<std::int64_t>(combs.size()) / decisions);
  EXPECT_LT(most, 2 * of_buffer + 2 * kPerShard);
  EXPECT_LT(most, combs.size() / 2) << "else the test says nothing";
}

// What the model learns does not tell whether the split was in memory: the same bits, also on two
// learners' shares.
TEST_F(Feed, TrainingIsTheSameToTheBit) {
  const auto group = comm::make_local_collectives();
  const auto make = [&](const std::vector<prompt::Comb>& held) {
    auto learner =
        std::make_unique<Learner>(testing::random_model(testing::kVocab), held, testing::kOptions,
                                  planner::Readout::mean_logit, config, *group);
    learner->begin_stage(config, 100);
    return learner;
  };
  const std::vector<prompt::Comb> none;
  const auto in_memory = make(combs), fed = make(none);
  const TransitionSource held = transitions_of(combs, config, 8, 1);
  const CombTransitions each = transitions();
  const shard::DatasetView data = view();
  CombFeed feed(data.reader("train"));
  PlanStream a(stream(), 6, [&](const Batch& batch, std::int64_t epoch) {
    return in_memory->plan(batch, epoch, held);
  });
  PlanStream b = PlanStream::fed(stream(), 6, [&](const BatchStream& at) {
    return fed->plan(feed.take(at), at.epoch(), each);
  });
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(in_memory->step(a.next()).loss, fed->step(b.next()).loss);
  }
  EXPECT_EQ(in_memory->online().parameters().fingerprint(),
            fed->online().parameters().fingerprint());
}

TEST_F(Feed, AViewVisitsASplitThatItDoesNotHold) {
  const shard::DatasetView data = view();
  EXPECT_TRUE(data.has("train"));
  EXPECT_TRUE(data.is_streamed("train"));
  EXPECT_FALSE(data.has("valid"));
  error_of([&] { data.split("train"); });
  std::vector<std::string> ids;
  std::int64_t decisions = 0;
  data.each("train")([&](const prompt::Comb& comb) {
    ids.push_back(comb.id);
    decisions += static_cast<std::int64_t>(comb.decisions.size());
  });
  ASSERT_EQ(ids.size(), combs.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], combs[i].id);
  EXPECT_EQ(data.decision_count("train"), decisions);
}

TEST_F(Feed, AShardThatHasBecomeBadIsNamed) {
  const shard::DatasetView data = view();
  std::filesystem::resize_file(folder.path("train-00003.h5"), 100);
  const auto e = error_of([&] { data.each("train")([](const prompt::Comb&) {}); });
  ASSERT_TRUE(e);
  EXPECT_HAS(e->full(), "train-00003.h5");
  BatchStream at = stream();
  CombFeed feed(data.reader("train"));
  const auto fed = error_of([&] {
    while (at.epoch() < 1) {
      at.next();
      feed.take(at);
    }
  });
  ASSERT_TRUE(fed);
  EXPECT_HAS(fed->full(), "train-00003.h5");
}

}  // namespace
}  // namespace straq::learn
