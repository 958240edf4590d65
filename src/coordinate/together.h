// One outcome for all learners of a group: without it one learner would leave with an error while
// the others wait for it in a collective for ever.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/collectives.h"
#include "coordinate/failure.h"

namespace straq::coordinate {

// The failure of the first learner that has one, with its words, for all. Collective.
void agree(comm::Collectives& group, const std::optional<PointFailure>& mine);

// Runs `f` on every learner and agrees on the outcome: when it failed anywhere, every learner gets
// that failure and none goes on into a collective that the others will never enter.
template <class F>
void together(comm::Collectives& group, F&& f) {
  std::optional<PointFailure> mine;
  try {
    f();
  } catch (const std::exception& e) {
    mine = as_failure(e);
  }
  agree(group, mine);
}

}  // namespace straq::coordinate
