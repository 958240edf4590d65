// How a learner group is led: at every lease boundary it reports and is told what to do. With many
// ranks the orders come from the coordinator (coordinate/remote_director.h), with one rank from the
// same rules in place.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "comm/directive.h"

namespace straq::train {

// A lease lasts about this long, so that a request to stop is noticed within seconds.
inline constexpr double kLeaseSeconds = 10;

// The coordinator's rules. Pure, and the clock enters only where no number depends on it: when to
// save, when to stop and how long a lease is.
//   sync_target  every status.sync_every steps of a stage
//   evaluate     every status.evaluate_every steps of a stage, and at its end
//   checkpoint   every status.checkpoint_every steps of the run or checkpoint_seconds after the
//   last
//                one, at the run's end where checkpoints are on, and always before a requested stop
//   run_until    the first of: the next step at which one of these is due, the stage's end, and as
//                many steps as fit into kLeaseSeconds (one, while a step's time is not known)
//   stop         as comm::Stop says; divergence and failures count before requests
comm::Directive decide(const comm::Status& status, double seconds_since_checkpoint = 0,
                       bool stop_requested = false);

// The rules with a clock, for one group and one point.
class Pacer {
 public:
  comm::Directive direct(const comm::Status& status, bool stop_requested);

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Director {
 public:
  virtual ~Director() = default;
  virtual void begin() {}  // its folder is held, its training starts
  // Every learner of the group calls it at the same step.
  virtual comm::Directive boundary(const comm::Status& status) = 0;
  // Returns when every shard of the point's data set is in its manifest. Throws Error(stopped) when
  // the job is to stop before that.
  virtual void await_dataset() = 0;
};

// One rank: decides by itself; the data set is complete before training starts.
class LocalDirector : public Director {
 public:
  explicit LocalDirector(std::function<void()> on_begin = {}) : on_begin_(std::move(on_begin)) {}
  void begin() override {
    pacer_ = {};
    if (on_begin_) on_begin_();
  }
  comm::Directive boundary(const comm::Status& status) override;
  void await_dataset() override {}

 private:
  std::function<void()> on_begin_;
  Pacer pacer_;
};

}  // namespace straq::train
