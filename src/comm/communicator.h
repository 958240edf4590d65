// The control plane: small messages between the coordinator and everybody else. Waiting never burns
// a core: a rank that waits for control sleeps between polls, so that on a laptop the learners have
// the cores to themselves.
#pragma once

#include <mpi.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
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

  void send(int to, const Json& body) const;
  // A message that has arrived, if any; from `source` or anybody.
  std::optional<Message> poll(int source = MPI_ANY_SOURCE) const;
  // Sleeps between polls until a message arrives.
  Message receive(int source = MPI_ANY_SOURCE) const;

 private:
  MPI_Comm comm_;
};

// Waits for a request without holding the core: polls fast at first, then sleeps up to a
// millisecond between polls.
void wait_softly(MPI_Request& request);

// The order that the coordinator gives to a learner group at a lease boundary. Plain data, sent by
// a non-blocking broadcast on both sides (blocking and non-blocking collectives do not match).
struct Directive {
  std::int64_t run_until = 0;    // optimizer step at which the next boundary is
  std::int32_t sync_target = 0;  // copy the online network to the target network now
  std::int32_t stop = 0;         // leave the training loop at this boundary
};

// What the leader of a group reports at a lease boundary. Steps count from the run's first.
struct Status {
  std::int64_t step = 0;         // steps done
  std::int64_t stage_begin = 0;  // first step of the current stage
  std::int64_t stage_end = 0;    // and the step after its last
  std::int64_t sync_every = 0;   // 0: the stage has no target network
  std::int32_t diverged = 0;
};

Json to_json(const Status& status);
Status status_from_json(const Json& json);

// Rank 0 of `comm` gives, everybody gets.
void broadcast_directive(MPI_Comm comm, Directive& directive);

}  // namespace straq::comm
