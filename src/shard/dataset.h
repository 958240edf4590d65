// What a learner sees of preprocessing: the combs of the splits that it asked for, in dialogue
// order, from shards that were all verified before this returns. Opening is the gate in front of
// training: one bad shard, one that is missing or one made with another tokenizer stops the run
// here with its name and reason.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "prompt/each_comb.h"
#include "shard/manifest.h"

namespace straq::shard {

// What the run that opens a data set relies on; empty fields accept anything.
struct DatasetNeeds {
  std::string key;        // ShardKey::hex()
  std::string tokenizer;  // Tokenizer::fingerprint()
  std::string prompt;     // CombBuilder::fingerprint()
};

// A split's shards, one by one: what is in memory is a shard.
class SplitReader {
 public:
  // Of a manifest in which the split is complete.
  SplitReader(std::string folder, const Manifest& manifest, const std::string& split);
  std::size_t shards() const { return files_.size(); }
  // The number in the split of the shard's first dialogue.
  std::int64_t first(std::size_t shard) const { return files_.at(shard).item.first; }
  // Throws Error(input) as read_shard does. Any thread may ask, one at a time.
  std::vector<prompt::Comb> read(std::size_t shard) const;

 private:
  struct File {
    std::string path;
    WorkItem item;
    Expected expected;
  };
  std::vector<File> files_;
};

struct DatasetView {
  Manifest manifest;
  std::vector<std::pair<std::string, std::vector<prompt::Comb>>> splits;
  // Splits that are not held: each() and reader() read their shards again whenever they are asked.
  std::vector<std::string> streamed = {};
  std::string folder = {};

  bool is_streamed(const std::string& name) const;
  bool has(const std::string& name) const;  // held or streamed
  // The dialogues of a split that has(). Refers to this view.
  prompt::EachComb each(const std::string& name) const;
  SplitReader reader(const std::string& name) const { return {folder, manifest, name}; }

  const std::vector<std::int32_t>& option_ids() const { return manifest.option_ids; }
  std::int64_t vocab_size() const { return manifest.vocab_size; }
  // Of those that are held. Throws Error(input) naming the splits that were opened.
  const std::vector<prompt::Comb>& split(const std::string& name) const;
  std::int64_t decision_count(const std::string& split) const;
};

// Opens `folder` (one data set's: it holds manifest.json) and loads `wanted` splits, all when
// empty. Throws Error(input) naming every shard that is refused and why (eight at most, then their
// number), a split that the data set does not have, and a manifest made for something else. Of
// `streamed` splits nothing is read here: whoever reads their shards hears of one that is bad.
DatasetView open_dataset(const std::string& folder, const DatasetNeeds& needs,
                         const std::vector<std::string>& wanted = {},
                         const std::vector<std::string>& streamed = {});

}  // namespace straq::shard
