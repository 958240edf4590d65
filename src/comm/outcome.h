// One outcome for all ranks of a communicator: what one rank can fail at alone, all ranks leave
// together, with the failing rank's words. For sections before anybody has a role; learners of a
// group have train/shared_outcome.h.
#pragma once

#include <mpi.h>

#include <exception>
#include <optional>
#include <string>

#include "core/error.h"

namespace straq::comm {

// A failure that every rank of the communicator throws at the same place: nobody waits for anybody,
// and one rank tells it for all.
class SharedError : public Error {
 public:
  using Error::Error;
};

// Any exception as an Error; what nobody knows is a failure with its words.
Error as_error(const std::exception& e);

// Throws SharedError on every rank when any has a failure: that of the lowest one, with its words
// ("rank 2: …" where others have none, unless `only_root` says that rank 0 alone was at work).
// Collective over `comm`.
void share_outcome(MPI_Comm comm, const std::optional<Error>& mine, bool only_root = false);

// Throws SharedError(input) on every rank unless all ranks have the same text; `what` names it
// ("config") and the message says which ranks differ from rank 0. Collective over `comm`.
void require_same(MPI_Comm comm, const std::string& text, const std::string& what,
                  const std::string& hint);

// Runs `f`, which takes no collective, on every rank and shares the outcome.
template <class F>
void agreed(MPI_Comm comm, F&& f, bool only_root = false) {
  std::optional<Error> mine;
  try {
    f();
  } catch (const std::exception& e) {
    mine = as_error(e);
  }
  share_outcome(comm, mine, only_root);
}

}  // namespace straq::comm
