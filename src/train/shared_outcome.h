// One outcome for all learners of a group: without it one learner would leave with an error while
// the others wait for it in a collective for ever.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/collectives/collectives.h"
#include "train/torch_failure.h"

namespace straq::train {

// A failure that every learner of the group throws at the same place: nobody waits for anybody, and
// the group can go on to its next point. Whatever else leaves a step is one learner's alone.
class SharedFailure : public results::PointFailure {
 public:
  explicit SharedFailure(const results::PointFailure& failure) : results::PointFailure(failure) {}
};

// Throws the failure of the first learner that has one, with its words, on all. Collective.
void agree(comm::Collectives& group, const std::optional<results::PointFailure>& mine);

// Runs `f`, which takes no collective, on every learner and agrees on the outcome: when it failed
// anywhere, every learner gets that failure as a SharedFailure and none goes on into a collective
// that the others will never enter.
template <class F>
void together(comm::Collectives& group, F&& f) {
  std::optional<results::PointFailure> mine;
  try {
    f();
  } catch (const std::exception& e) {
    mine = as_failure(e);
  }
  agree(group, mine);
}

// For what takes collectives itself and promises to throw on all learners or on none: passes its
// failure on as a SharedFailure.
template <class F>
void alike(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    throw SharedFailure(as_failure(e));
  }
}

}  // namespace straq::train
