// One data set to be made: corpus, tokenizer, prompts and plan. The coordinator has one for each
// distinct data set of a sweep, reads its corpus once and hands out items with the places of their
// dialogues; a preprocessor needs no more than a ShardMaker. Neither holds the corpus.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dialogue/data_config.h"
#include "dialogue/plan/corpus_plan.h"
#include "experiment/experiment.h"
#include "prompt/comb_builder.h"
#include "shard/manifest.h"

namespace straq::coordinate {

class DatasetJob {
 public:
  // Reads the corpus and opens the tokenizer (training it first where the config says so: one
  // process at a time may do that). Throws Error(input) as these do, and when no split has
  // decisions.
  explicit DatasetJob(const experiment::ExperimentConfig& config);
  DatasetJob(const DatasetJob&) = delete;
  DatasetJob& operator=(const DatasetJob&) = delete;

  const shard::Manifest& manifest() const { return manifest_; }
  shard::Manifest& manifest() { return manifest_; }
  const std::string& key() const { return manifest_.key; }
  const std::string& folder() const { return folder_; }
  const dialogue::CorpusPlan& corpus() const { return corpus_; }

  // Looks at the shards that are there, adopts valid ones and returns what is left to make. The
  // manifest is written where that changes it: by who may make shards (`makes`, under the data
  // set's lock) always, by others only when nothing is left to make, so that they overwrite
  // nobody's.
  std::vector<shard::MissingItem> survey(bool makes);
  // The dialogues of an item.
  dialogue::EpisodeOrders dialogues(const shard::WorkItem& item) const;
  const std::string& tokenizer_path() const { return tokenizer_path_; }
  // Makes one shard.
  shard::ShardRecord process(const shard::WorkItem& item);
  // Coordinator only: the record's place in the manifest. Its file is written when a split is
  // complete and now and then: shards without a record are found again by survey().
  void add(const shard::ShardRecord& record);

 private:
  void shuffle(std::uint64_t seed);
  shard::DataSources sources() const;
  void read_outcomes(const dialogue::DataConfig& data);

  shard::Storage storage_;
  dialogue::StrategySet strategies_;
  dialogue::CorpusPlan corpus_;
  std::vector<dialogue::OutcomeSource> outcome_files_;
  // By split and member, where the config names files of outcomes.
  std::map<std::string, std::vector<std::vector<dialogue::DecisionOutcome>>> outcomes_;
  dialogue::EpisodeReader reader_;
  std::string tokenizer_path_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<prompt::CombBuilder> prompts_;
  shard::Manifest manifest_;
  std::string folder_;
  std::chrono::steady_clock::time_point written_{};  // when the manifest was
};

// What turns dialogues into shards on a rank that did not read the corpus.
class ShardMaker {
 public:
  // `folder` holds the manifest of the data set `key`. Throws Error(input) as the tokenizer, the
  // template and the manifest do, and Error(failure) where this rank's files would make other
  // shards than the manifest plans.
  ShardMaker(const experiment::ExperimentConfig& config, const std::string& tokenizer_path,
             const std::string& folder, const std::string& key);
  // Throws Error(input) where a file of the corpus is not the one that was planned with.
  shard::ShardRecord process(const shard::WorkItem& item, const dialogue::EpisodeOrders& dialogues);

 private:
  shard::Storage storage_;
  dialogue::StrategySet strategies_;
  dialogue::EpisodeReader reader_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<prompt::CombBuilder> prompts_;
  shard::Manifest manifest_;
  std::string folder_;
};

// The part of a config that decides which data set it needs: equal texts share a DatasetJob.
std::string dataset_signature(const experiment::ExperimentConfig& config);

}  // namespace straq::coordinate
