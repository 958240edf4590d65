// The floor: the best plan that is made without listening. It sees which strategy it used before
// and how many decisions were taken, and nothing that the seeker says, so it is a fixed sequence of
// strategies for each way in which a dialogue may open.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "simulate/dynamics.h"

namespace straq::simulate {

struct FixedPlan {
  // Of each opening strategy that has a probability (-1: the seeker opens), what to do turn by
  // turn.
  std::vector<std::pair<int, std::vector<int>>> sequences;
  double value = 0;           // expected discounted return, over the openings
  std::int64_t expanded = 0;  // partial plans that were looked at
  int action(int opening, int turn) const;
};

// Exactly the best, by branch and bound: a partial plan is given up when even who saw the seeker's
// state from there on (V* of its belief) would not earn more than the best whole plan so far.
// Throws Error(input) unless 0 <= gamma <= 1.
FixedPlan best_fixed_plan(const Dynamics& dynamics, double gamma);

}  // namespace straq::simulate
