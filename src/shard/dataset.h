// What a learner sees of preprocessing: the combs of the splits that it asked for, in dialogue
// order, from shards that were all verified before this returns. Opening is the gate in front of
// training: one bad shard, one that is missing or one made with another tokenizer stops the run
// here with its name and reason.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shard/manifest.h"

namespace straq::shard {

// What the run that opens a data set relies on; empty fields accept anything.
struct DatasetNeeds {
  std::string key;        // ShardKey::hex()
  std::string tokenizer;  // Tokenizer::fingerprint()
  std::string prompt;     // CombBuilder::fingerprint()
};

struct DatasetView {
  Manifest manifest;
  std::vector<std::pair<std::string, std::vector<prompt::Comb>>> splits;

  const std::vector<std::int32_t>& option_ids() const { return manifest.option_ids; }
  std::int64_t vocab_size() const { return manifest.vocab_size; }
  // Throws Error(input) naming the splits that were opened.
  const std::vector<prompt::Comb>& split(const std::string& name) const;
  std::int64_t decision_count(const std::string& split) const;
};

// Opens `folder` (one data set's: it holds manifest.json) and loads `wanted` splits, all when
// empty. Throws Error(input) naming every shard that is refused and why (eight at most, then their
// number), a split that the data set does not have, and a manifest made for something else.
DatasetView open_dataset(const std::string& folder, const DatasetNeeds& needs,
                         const std::vector<std::string>& wanted = {});

}  // namespace straq::shard
