// The dialogues of batches, where a split is larger than memory: its shards are read in their order
// by a thread, and a dialogue is kept from then until the last batch of the epoch that it is in. As
// the sampler draws from a window of `learn.replay.capacity` decisions that moves over the split
// (learn/sampler.h), that is about what is held, and two shards.
#pragma once

#include <cstdint>
#include <future>
#include <unordered_map>
#include <vector>

#include "learn/sampler.h"
#include "prompt/comb.h"
#include "shard/dataset.h"

namespace straq::learn {

// A batch with its dialogues: items count within `combs`, which are numbers[i] in the split.
struct FedBatch {
  std::vector<prompt::Comb> combs;
  std::vector<std::int64_t> numbers;
  Batch batch;
};

class CombFeed {
 public:
  explicit CombFeed(shard::SplitReader shards) : shards_(std::move(shards)) {}
  // The dialogues of the batch that `stream` has handed out last. Asked batch by batch; a jump, to
  // another epoch or over batches, reads anew from the split's beginning. Throws Error(input) for a
  // shard that has become bad.
  FedBatch take(const BatchStream& stream);
  // Dialogues in memory, for tests.
  std::size_t held() const { return held_.size(); }

 private:
  void begin(const BatchStream& stream);
  void read_next_shard(std::size_t batch);

  shard::SplitReader shards_;
  std::int64_t epoch_ = -1;
  std::size_t next_batch_ = 0, next_shard_ = 0;
  std::vector<std::int32_t>
      last_;  // batch of the epoch that a dialogue is in; -1: none that is left
  std::unordered_map<std::int32_t, prompt::Comb> held_;
  std::future<std::vector<prompt::Comb>> ahead_;  // of next_shard_
};

}  // namespace straq::learn
