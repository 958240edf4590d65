// Items of work: runs of decisions of a dialogue, what they cost and how they are cut into forward
// passes. Training makes its batches of them and a planner is asked in them.
#pragma once

#include <cstdint>
#include <vector>

#include "prompt/comb.h"

namespace straq::planner {

// A run of consecutive decisions of one dialogue: decisions [first, last) of combs[comb]. A
// dialogue without decisions is the item [0, 0): its text alone.
struct BatchItem {
  std::int32_t comb = 0;
  std::int32_t first = 0;
  std::int32_t last = 0;
  std::int32_t count() const { return last - first; }
};
using Batch = std::vector<BatchItem>;

// The text of a dialogue counts once per epoch, also where batches cut the dialogue: with the part
// that holds its first decision.
bool carries_text(const BatchItem& item);
// Of a dialogue's first trunk, which holds its text: the first token that the language model
// predicts, and the number of those that it predicts.
std::int64_t first_predicted(const prompt::Comb& comb);
std::int64_t text_tokens(const prompt::Comb& comb);
// The tokens that the language-model objective predicts of an item: the targets of its decisions
// where replies are learned, else the dialogue's text where the item carries it.
std::int64_t predicted_tokens(const prompt::Comb& comb, const BatchItem& item);

// Operations by which items are weighed: of a row in the linear layers, of a pair of a row and a
// key that it sees, and of a token that the language model predicts; relative to each other.
struct ItemCost {
  double row = 1, pair = 0, text = 0;  // text 0: there is no language-model objective
};
// Rounded to whole units, so that every node weighs alike.
std::int64_t item_operations(const prompt::Comb& comb, const BatchItem& item, const ItemCost& cost);
// Tokens that a forward pass over an item costs: its trunk up to the last probe, and the probes; of
// an item without decisions its first trunk.
std::int64_t item_tokens(const prompt::Comb& comb, const BatchItem& item);

// Cuts a share into forward passes of at most `tokens` tokens (an item larger than that alone).
std::vector<Batch> micro_batches(const Batch& share, const std::vector<prompt::Comb>& combs,
                                 std::int64_t tokens);

}  // namespace straq::planner
