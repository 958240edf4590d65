// How a learner group is led: at every lease boundary it reports and is told what to do. Over MPI
// the orders come from the coordinator's broadcast, with one rank from the same rules in place.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace straq::coordinate {

// The coordinator's rules. Pure: the same status gives the same directive.
//   sync_target  every status.sync_every steps of a stage
//   run_until    the next multiple of sync_every (of kLease where a stage never syncs), at most the
//                stage's end
//   stop         when the run diverged
comm::Directive decide(const comm::Status& status);
inline constexpr std::int64_t kLease = 50;

class Director {
 public:
  virtual ~Director() = default;
  // Every learner of the group calls it at the same step.
  virtual comm::Directive boundary(const comm::Status& status) = 0;
  // Returns when every shard of the point's data set is in its manifest.
  virtual void await_dataset() = 0;
};

// One rank: decides by itself; the data set is complete before training starts.
class LocalDirector : public Director {
 public:
  comm::Directive boundary(const comm::Status& status) override { return decide(status); }
  void await_dataset() override {}
};

// A learner under a coordinator: the group's leader reports, everybody hears.
class MpiDirector : public Director {
 public:
  // `world` reaches the coordinator (rank 0); `directives` holds it and this group.
  MpiDirector(MPI_Comm world, MPI_Comm directives, bool leader)
      : control_(world), directives_(directives), leader_(leader) {}
  comm::Directive boundary(const comm::Status& status) override;
  void await_dataset() override;

 private:
  comm::Communicator control_;
  MPI_Comm directives_;
  bool leader_;
};

}  // namespace straq::coordinate
