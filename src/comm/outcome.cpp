#include "comm/outcome.h"

#include <algorithm>
#include <new>
#include <vector>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "core/hash.h"

namespace straq::comm {
namespace {

// Waiting sleeps between polls: one rank may take minutes to find out that a file is not there.
int highest(MPI_Comm comm, int value) {
  int out = 0;
  MPI_Request request;
  MPI_Iallreduce(&value, &out, 1, MPI_INT, MPI_MAX, comm, &request);
  wait_softly(request);
  return out;
}

std::string broadcast_text(MPI_Comm comm, std::string text, int root) {
  auto size = static_cast<int>(text.size());
  MPI_Request request;
  MPI_Ibcast(&size, 1, MPI_INT, root, comm, &request);
  wait_softly(request);
  text.resize(static_cast<std::size_t>(size));
  MPI_Ibcast(text.data(), size, MPI_CHAR, root, comm, &request);
  wait_softly(request);
  return text;
}

}  // namespace

Error as_error(const std::exception& e) {
  if (const auto* known = dynamic_cast<const Error*>(&e)) return *known;
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    return {ErrorKind::failure, "out of memory: the system refused an allocation"};
  }
  return {ErrorKind::failure, std::string("unexpected failure: ") + e.what()};
}

void share_outcome(MPI_Comm comm, const std::optional<Error>& mine, bool only_root) {
  const CollectiveNote note("agreement", 1);
  int rank = 0, size = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  const int found = highest(comm, mine ? size - rank : 0);
  if (found == 0) return;
  const int first = size - found;
  const bool everybody = -highest(comm, mine ? -1 : 0) == 1;
  int kind = mine ? mine->exit_code() : 0;
  MPI_Request request;
  MPI_Ibcast(&kind, 1, MPI_INT, first, comm, &request);
  wait_softly(request);
  const std::string message = broadcast_text(comm, mine ? mine->what() : "", first);
  const std::string hint = broadcast_text(comm, mine ? mine->hint() : "", first);
  // What all have in common needs no name of a rank.
  const std::string who = everybody || only_root ? "" : "rank " + std::to_string(first) + ": ";
  throw SharedError(static_cast<ErrorKind>(kind), who + message, hint);
}

void require_same(MPI_Comm comm, const std::string& text, const std::string& what,
                  const std::string& hint) {
  int rank = 0, size = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  const std::string mine = sha256_hex(text);
  const bool differs = broadcast_text(comm, mine, 0) != mine;
  const int found = highest(comm, differs ? size - rank : 0);
  if (found == 0) return;
  throw SharedError(
      ErrorKind::input,
      "rank " + std::to_string(size - found) + " has another " + what + " than rank 0", hint);
}

}  // namespace straq::comm
