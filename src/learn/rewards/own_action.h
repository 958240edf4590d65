// Rewards that say what the corpus's own action was worth and nothing of the others: each decision
// with a reward gives one transition.
#pragma once

#include "learn/rewards/reward.h"

namespace straq::learn {

// (s, the corpus's own action, of_own_action, s') of every decision that has a reward; none of the
// others, which still are next states. Asks a copy of `reward`.
CombTransitions own_action_transitions(const Reward& reward);

// scale / (1 - gamma): the return of a reward that is at most `scale` in absolute value, decision
// by decision; infinite for a gamma of 1.
double largest_of_steps(double scale, double gamma);

}  // namespace straq::learn
