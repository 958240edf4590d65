// Which decisions make up each optimizer step. A pure function of (seed, epoch): nothing is stored
// to resume, and the global batch does not depend on how many learners share it.
#pragma once

#include <cstdint>
#include <vector>

#include "learn/learn_config.h"
#include "planner/items.h"
#include "prompt/comb.h"

namespace straq::learn {

// What batches are made of lies in planner/items.h: a planner is asked in the same items.
using planner::Batch;
using planner::BatchItem;
using planner::carries_text;
using planner::first_predicted;
using planner::item_operations;
using planner::item_tokens;
using planner::ItemCost;
using planner::micro_batches;
using planner::predicted_tokens;
using planner::text_tokens;

// What becomes of dialogues without decisions, which have nothing to give but their text.
enum class Texts {
  none,    // they are left out: the stage learns nothing from text
  beside,  // decisions are learned too: such dialogues weigh nothing and go into the batch that
           // their place in the order falls in, so that batches hold the decisions that they were
           // asked for
  alone,   // text is all that is learned: they weigh as many decisions as dialogues with decisions
           // have for so much text (kTextOfADecision tokens each where no dialogue has any)
};
inline constexpr std::int64_t kTextOfADecision = 64;
Texts texts_of(const ObjectiveConfig& objective);
// Whether a stage learns from decisions at all: without them it has nothing to do.
bool learns_decisions(const ObjectiveConfig& objective);

// What batches are cut by, of every dialogue of a split in order: all that must be known of a split
// that is not in memory.
struct CombSizes {
  std::vector<std::int32_t> decisions, text;  // text: text_tokens()

  void add(const prompt::Comb& comb);
  std::size_t count() const { return decisions.size(); }
};
CombSizes sizes_of(const std::vector<prompt::Comb>& combs);

// By dialogue: the decisions as which it counts where batches are cut. Its own number; of a
// dialogue without decisions what `texts` says, and -1 where it is left out (as one without text
// always is).
std::vector<std::int64_t> batch_weights(const CombSizes& combs, Texts texts);
std::vector<std::int64_t> batch_weights(const std::vector<prompt::Comb>& combs, Texts texts);

// All batches of one epoch.
//   exact    dialogues in shuffled order laid end to end, cut every `batch` decisions; a dialogue
//            on a cut is in both batches. The epoch's last batch may be smaller.
//   whole    dialogues stay whole; a batch closes when the next dialogue would move its size
//            further from `batch`.
//   uniform  single decisions in shuffled order, as a replay buffer of transitions draws them.
// The order passes through a shuffle buffer of `capacity` decisions: with a capacity of at least
// the split's size it is a uniform shuffle, with a smaller one a sliding window over the file
// order.
// A dialogue without decisions is never cut; with Texts::alone the batch that it fills up may be
// larger than `batch`. Where every dialogue has decisions `texts` changes nothing.
std::vector<Batch> epoch_batches(const CombSizes& combs, Batching mode, std::int64_t batch,
                                 std::int64_t capacity, std::uint64_t seed, std::int64_t epoch,
                                 Texts texts = Texts::none);
std::vector<Batch> epoch_batches(const std::vector<prompt::Comb>& combs, Batching mode,
                                 std::int64_t batch, std::int64_t capacity, std::uint64_t seed,
                                 std::int64_t epoch, Texts texts = Texts::none);
// The same as a stage with this objective has them; `config` says how batches are cut.
std::vector<Batch> epoch_batches(const CombSizes& combs, const LearnConfig& config,
                                 const ObjectiveConfig& objective, std::uint64_t seed,
                                 std::int64_t epoch);
std::vector<Batch> epoch_batches(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                                 const ObjectiveConfig& objective, std::uint64_t seed,
                                 std::int64_t epoch);

// The batches of a stage with the given objective, epoch after epoch. `config` outlives it. next()
// and skip() throw Error(input) where an epoch has no batch.
class BatchStream {
 public:
  BatchStream(CombSizes combs, const LearnConfig& config, const ObjectiveConfig& objective,
              std::uint64_t seed);
  BatchStream(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
              const ObjectiveConfig& objective, std::uint64_t seed)
      : BatchStream(sizes_of(combs), config, objective, seed) {}
  const Batch& next();  // valid until the next call
  void skip(std::int64_t batches);
  std::int64_t epoch() const { return epoch_; }  // of the batch handed out last
  // The batches of that epoch, and which of them that one is.
  const std::vector<Batch>& batches() const { return batches_; }
  std::size_t index() const { return at_ - 1; }

 private:
  void open_epoch();

  CombSizes combs_;
  const LearnConfig* config_;
  ObjectiveConfig objective_;
  std::uint64_t seed_;
  std::vector<Batch> batches_;
  std::size_t at_ = 0;
  std::int64_t epoch_ = -1;
};

}  // namespace straq::learn
