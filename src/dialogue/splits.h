// Which dialogues, or in the leaking mode which decisions, belong to train, valid and test. Splits
// are drawn with counter-based random numbers, so a seed gives the same split on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dialogue/dialogue.h"

namespace straq::dialogue {

enum class SplitMode {
  official,      // one file a split, as its authors cut it
  ratio,         // dialogues drawn at random
  sample_level,  // single decisions drawn at random: leaks, kept to measure how much
};

// A dialogue's part in a split.
struct SplitMember {
  std::size_t dialogue = 0;         // index into the corpus
  std::vector<std::uint8_t> owned;  // per decision, 1 when it belongs; empty: all of them
};

struct SplitPlan {
  std::string name;
  std::vector<SplitMember> members;  // in the corpus's order
};

// Name and share of each split, in order; a share of 0 leaves a split empty.
using Shares = std::vector<std::pair<std::string, double>>;

// How many of `count` items each share gets: rounded to the nearest whole for all but the first,
// which takes the rest. Throws Error(input) unless shares are in [0, 1] and sum to 1, and when a
// share above 0 gets nothing.
std::vector<std::size_t> share_counts(std::size_t count, const Shares& shares);

// Whole dialogues to splits: disjoint, and together everything.
std::vector<SplitPlan> plan_ratio(std::size_t dialogues, const Shares& shares, std::uint64_t seed);

// Single decisions to splits, as some published preprocessing does. A dialogue then appears in
// several splits, and where the history shows earlier strategies a later decision of one split
// reveals the answer of an earlier decision in another. Logs a warning that says so, with the
// number of dialogues shared. Dialogues without decisions go whole to the first split with a share.
// `decisions` has the number of every dialogue's.
std::vector<SplitPlan> plan_sample_level(const std::vector<std::size_t>& decisions,
                                         const Shares& shares, std::uint64_t seed);

// The episode with the decisions that a split owns. What is kept keeps its `previous`; the next
// decision kept becomes the next state that learning sees, and the last one kept is terminal.
Episode restrict_to(const Episode& episode, const std::vector<std::uint8_t>& owned);

}  // namespace straq::dialogue
