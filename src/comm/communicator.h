// The control plane: small messages between the coordinator and everybody else. Waiting never burns
// a core: a rank that waits for control sleeps between polls, so that on a laptop the learners have
// the cores to themselves.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace straq::comm {

using Json = nlohmann::json;

struct Message {
  int source = 0;
  Json body;
};

class Communicator {
 public:
  explicit Communicator(MPI_Comm comm) : comm_(comm) {}

  ~Communicator();  // waits for what was posted
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Texts in a message may be any bytes, and numbers any doubles: they arrive as they were sent.
  void send(int to, const Json& body) const;
  // The same without waiting for the receiver, who may be at work and have no time for a long
  // message yet. Messages to one rank arrive in the order of their sending, either way.
  void post(int to, const Json& body) const;
  // A message that has arrived, if any; from `source` or anybody.
  std::optional<Message> poll(int source = MPI_ANY_SOURCE) const;
  // Sleeps between polls until a message arrives.
  Message receive(int source = MPI_ANY_SOURCE) const;
  // The same, but nothing once `give_up`, asked between polls, says so.
  std::optional<Message> receive_unless(const std::function<bool()>& give_up,
                                        int source = MPI_ANY_SOURCE) const;

 private:
  struct Posted {
    std::string bytes;
    MPI_Request request;
  };
  MPI_Comm comm_;
  mutable std::list<Posted> posted_;
};

// Waits for a request without holding the core: polls fast at first, then sleeps up to a
// millisecond between polls.
void wait_softly(MPI_Request& request);

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

Json to_json(const Status& status);
Status status_from_json(const Json& json);

// Rank 0 of `comm` gives, everybody gets.
void broadcast_directive(MPI_Comm comm, Directive& directive);

}  // namespace straq::comm
