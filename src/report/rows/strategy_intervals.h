// Intervals of the numbers that Table 9 has of a strategy: its recall (Acc), its F1 and its
// preference p (B). Decisions of one dialogue are not independent, so whole dialogues are drawn, as
// for a method's own numbers; one bootstrap yields all strategies' numbers of a draw at once.
#pragma once

#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace straq::report {

// One entry a strategy, from the counts of each dialogue (all of as many strategies). A draw
// without a gold decision of a strategy has neither its recall nor its F1; one in which the
// preferences rest on a guard (metrics::bradley_terry) has no preferences, the published script has
// no number there. Such draws are left out of the interval, and where they are more than one in
// twenty there is none. Below two dialogues there is no interval at all: one dialogue says nothing
// of how dialogues differ.
std::vector<metrics::StrategyInterval> intervals_by_strategy(
    std::span<const metrics::CountMatrix> by_dialogue, const metrics::BootstrapOptions& options);

}  // namespace straq::report
