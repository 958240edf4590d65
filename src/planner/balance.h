// Which learner takes which items of a batch. A step lasts as long as its slowest learner, and a
// batch of 64 decisions holds only some seven dialogues of very different lengths: who takes which
// decides several percent of the time.
#pragma once

#include <cstdint>
#include <vector>

#include "model/llama.h"
#include "planner/items.h"
#include "prompt/comb.h"

namespace straq::planner {

// What an item costs in a forward pass through all layers; `lm`: with the language-model objective.
ItemCost cost_in(const model::LlamaShape& shape, bool lm);

// The items of `batch` that learner `rank` of `size` takes, in the batch's order. Every item goes
// to exactly one learner; one may get none. The heaviest learner's load is as small as can be
// found: longest items first to the learner with least, then exchanges between the heaviest and
// another one, by trying all divisions of what the two hold. A pure function of its arguments.
Batch share_of(const Batch& batch, const std::vector<prompt::Comb>& combs, int rank, int size,
               const ItemCost& cost = {});

}  // namespace straq::planner
