// Shards are made of dialogues where they lie: what comes out is the corpus, whatever it is packed
// in, in the order that the config asks for, with the outcomes that belong to it.
#include "coordinate/dataset_job.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "shard/dataset.h"
#include "tests/coordinate/job_fixture.h"
#include "tests/packed.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;
using testing::corpus_folder;
using testing::TinyJob;

experiment::ExperimentConfig config_of(TinyJob& job, const std::vector<std::string>& sets = {}) {
  config::Value root = job.plan().config;
  for (const auto& set : sets) config::apply_set(root, set);
  return experiment::read_experiment(root);
}

shard::DatasetView made(const experiment::ExperimentConfig& config) {
  DatasetJob job(config);
  for (const auto& missing : job.survey(/*makes=*/true)) job.add(job.process(missing.item));
  job.manifest().write(job.folder());
  return shard::open_dataset(job.folder(), {});
}

std::vector<std::string> ids(const shard::DatasetView& data) {
  std::vector<std::string> out;
  for (const auto& comb : data.split("train")) out.push_back(comb.id);
  return out;
}

TEST(DatasetJob, AnArchiveMakesTheShardsOfItsContent) {
  TinyJob job;
  const TemporaryFolder folder;
  const std::string text = read_file(corpus_folder() + "/train.txt");
  write_file_atomic(folder.path("train.txt.gz"), straq::testing::gzipped(text));
  write_file_atomic(folder.path("other/train.zst"), straq::testing::zstd_packed(text));
  const auto plain = made(config_of(job));
  for (const char* name : {"train.txt.gz", "other/train.zst"}) {
    const TemporaryFolder elsewhere;
    const auto packed = made(config_of(
        job, {"data.train=" + folder.path(name), "shards.folder=" + elsewhere.path("shards")}));
    EXPECT_EQ(packed.manifest.key, plain.manifest.key) << name;
    for (std::size_t i = 0; i < plain.manifest.shards.size(); ++i) {
      EXPECT_EQ(packed.manifest.shards[i].record->content_sha256,
                plain.manifest.shards[i].record->content_sha256);
    }
  }
}

TEST(DatasetJob, AShuffledSplitIsTheSplitInAnotherOrder) {
  TinyJob job;
  const auto plain = ids(made(config_of(job)));
  const auto shuffled = [&](const char* seed) {
    return made(config_of(job, {std::string("shards.shuffle=") + seed}));
  };
  const auto one = ids(shuffled("1")), two = ids(shuffled("2"));
  EXPECT_NE(one, plain);
  EXPECT_NE(one, two);
  EXPECT_EQ(ids(shuffled("1")), one);
  for (auto drawn : {one, two}) {
    std::sort(drawn.begin(), drawn.end());
    EXPECT_EQ(drawn, plain);
  }
  EXPECT_NE(shuffled("1").manifest.key, made(config_of(job)).manifest.key);

  const TemporaryFolder folder;
  write_file_atomic(folder.path("train.txt.gz"),
                    straq::testing::gzipped(read_file(corpus_folder() + "/train.txt")));
  const auto e = error_of([&] {
    made(config_of(job, {"shards.shuffle=1", "data.train=" + folder.path("train.txt.gz")}));
  });
  ASSERT_TRUE(e);
  EXPECT_HAS(e->full(), "shards.shuffle");
  EXPECT_HAS(e->full(), "unpack");
}

// Ratings are joined by whoever has read the corpus, and travel with the places.
TEST(DatasetJob, OutcomesGoToTheirDecisionsInAnyOrder) {
  TinyJob job;
  const TemporaryFolder folder;
  std::string lines;
  for (int d = 0; d < 8; ++d) {
    // Simulated supporters' second turn is at utterance 3 or further on; the first rating that fits
    // counts, so every supporter utterance is rated by its dialogue's number.
    for (int u = 1; u < 4; ++u) {
      lines += "{\"split\": \"train\", \"dialogue\": " + std::to_string(d) +
               ", \"after_utterance\": " + std::to_string(u) +
               ", \"feedback\": " + std::to_string(1 + d % 5) + "}\n";
    }
  }
  write_file_atomic(folder.path("ratings.jsonl"), lines);
  for (const char* order : {"null", "3"}) {
    const auto data = made(config_of(job, {"data.ratings=" + folder.path("ratings.jsonl"),
                                           std::string("shards.shuffle=") + order}));
    int rated = 0;
    for (const auto& comb : data.split("train")) {
      const int number = std::stoi(comb.id.substr(comb.id.find('/') + 1));
      for (const auto& d : comb.decisions) {
        if (d.rating == 0) continue;
        EXPECT_EQ(d.rating, 1 + number % 5) << comb.id;
        ++rated;
      }
    }
    EXPECT_GE(rated, 8);
  }
}

}  // namespace
}  // namespace straq::coordinate
