// The control plane over MPI.
#pragma once

#include <mpi.h>

#include <list>
#include <optional>
#include <string>

#include "comm/control.h"
#include "comm/directive.h"

namespace straq::comm {

// Its ranks are those of the MPI communicator, which stays the caller's.
class Communicator : public Control {
 public:
  explicit Communicator(MPI_Comm comm) : comm_(comm) {}

  ~Communicator() override;  // waits for what was posted
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  void send(int to, const Json& body) const override;
  void post(int to, const Json& body) const override;
  std::optional<Message> poll(int source = kAnybody) const override;

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

// Rank 0 of `comm` gives, everybody gets.
void broadcast_directive(MPI_Comm comm, Directive& directive);

// A group's directives over MPI: rank 0 of `comm` is the coordinator (Groups::directive).
class MpiDirectiveLine : public DirectiveLine {
 public:
  explicit MpiDirectiveLine(MPI_Comm comm) : comm_(comm) {}
  void broadcast(Directive& directive) override { broadcast_directive(comm_, directive); }

 private:
  MPI_Comm comm_;
};

}  // namespace straq::comm
