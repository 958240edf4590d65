// Which reward a run was trained under: the entry "reward" of provenance.json, which the training
// wrote.
#pragma once

#include "results/results.h"
#include "results/rows/provenance.h"

namespace straq::results {

// Empty where neither the provenance nor, for runs of versions that did not write it there, the
// config's learn.reward.kind tells.
RewardFacts reward_facts(const Run& run);

}  // namespace straq::results
