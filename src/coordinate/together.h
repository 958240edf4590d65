// One outcome for all learners of a group: without it one learner would leave with an error while
// the others wait for it in a collective for ever.
#pragma once

#include <exception>
#include <optional>

#include "comm/collectives.h"
#include "core/error.h"

namespace straq::coordinate {

// Runs `f` on every learner and agrees on the outcome: when it failed anywhere, every learner gets
// that failure and none goes on into a collective that the others will never enter.
template <class F>
void together(comm::Collectives& group, F&& f) {
  std::optional<Error> mine;
  try {
    f();
  } catch (const Error& e) {
    mine = e;
  } catch (const std::exception& e) {
    mine = Error(ErrorKind::failure, e.what());
  }
  const double worst = group.allreduce_max(mine ? mine->exit_code() : 0);
  if (mine) throw *mine;
  if (worst > 0) {
    throw Error(static_cast<ErrorKind>(static_cast<int>(worst)), "another learner failed");
  }
}

}  // namespace straq::coordinate
