// What happens at a lease boundary: the leader of a learner group reports its status, and the
// coordinator's directive reaches the whole group.
#pragma once

#include <cstdint>

namespace straq::comm {

// Why a learner group leaves its training loop before the last step.
enum class Stop : std::int32_t {
  no = 0,
  diverged,   // too many non-finite gradients in a row
  failed,     // the leader cannot write what it must
  requested,  // a signal reached some rank of the job
  satisfied,  // early stopping: the validation metric no longer gains
};

// The order that the coordinator gives to a learner group at a lease boundary; carried out in this
// order: sync, evaluate, checkpoint, stop. Plain data, sent by a non-blocking broadcast on both
// sides (blocking and non-blocking collectives do not match).
struct Directive {
  std::int64_t run_until = 0;    // optimizer step at which the next boundary is
  std::int32_t sync_target = 0;  // copy the online network to the target network now
  std::int32_t evaluate = 0;     // score the validation split now
  std::int32_t checkpoint = 0;   // save now
  Stop stop = Stop::no;          // leave the training loop at this boundary
};

// What the leader of a group reports at a lease boundary. Steps count from the run's first.
struct Status {
  std::int64_t step = 0;              // steps done
  std::int64_t stage_begin = 0;       // first step of the current stage
  std::int64_t stage_end = 0;         // and the step after its last
  std::int64_t run_end = 0;           // the step after the last stage's last
  std::int64_t sync_every = 0;        // 0: the stage has no target network
  std::int64_t evaluate_every = 0;    // steps of a stage; 0: never
  std::int64_t evaluated_step = -1;   // of the last evaluation
  std::int64_t checkpoint_every = 0;  // steps of the run; 0: not by steps
  double checkpoint_seconds = 0;      // 0: not by time
  std::int64_t checkpoint_step = -1;  // of the last checkpoint that was begun
  double step_seconds = 0;            // measured; 0: not known yet
  std::int32_t diverged = 0;
  std::int32_t failed = 0;          // the leader could not write a file
  std::int32_t satisfied = 0;       // early stopping's patience is over
  std::int32_t stop_requested = 0;  // a signal reached the leader
};

// The way of directives between the coordinator and one group. Over MPI it is a broadcast
// (comm/communicator.h); tests have one between threads.
class DirectiveLine {
 public:
  virtual ~DirectiveLine() = default;
  // The coordinator gives, every learner of the group gets. Sleeps between polls.
  virtual void broadcast(Directive& directive) = 0;
};

}  // namespace straq::comm
