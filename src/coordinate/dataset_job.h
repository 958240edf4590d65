// One data set to be made: corpus, tokenizer, prompts and plan. The coordinator has one for each
// distinct data set of a sweep and hands out its items; a preprocessor has its own copy, built from
// the same config, and must arrive at the same key.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "coordinate/experiment.h"
#include "dialogue/data_config.h"
#include "prompt/builder.h"
#include "shard/manifest.h"

namespace straq::coordinate {

class DatasetJob {
 public:
  // Reads the corpus and opens the tokenizer (training it first where the config says so: one
  // process at a time may do that). Throws Error(input) as these do, and when no split has
  // decisions.
  explicit DatasetJob(const ExperimentConfig& config);
  DatasetJob(const DatasetJob&) = delete;
  DatasetJob& operator=(const DatasetJob&) = delete;

  const shard::Manifest& manifest() const { return manifest_; }
  shard::Manifest& manifest() { return manifest_; }
  const std::string& key() const { return manifest_.key; }
  const std::string& folder() const { return folder_; }
  const dialogue::Splits& data() const { return splits_; }

  // Looks at the shards that are there, adopts valid ones, writes the manifest and returns what is
  // left to make.
  std::vector<shard::MissingItem> survey();
  // Makes one shard.
  shard::ShardRecord process(const shard::WorkItem& item) const;
  // Coordinator only: the record's place in the manifest, and the manifest's file.
  void add(const shard::ShardRecord& record);

 private:
  shard::Storage storage_;
  dialogue::Splits splits_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<prompt::PromptBuilder> prompts_;
  shard::Manifest manifest_;
  std::string folder_;
};

// The part of a config that decides which data set it needs: equal texts share a DatasetJob.
std::string dataset_signature(const ExperimentConfig& config);

}  // namespace straq::coordinate
