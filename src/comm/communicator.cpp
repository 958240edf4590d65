#include "comm/communicator.h"

#include <exception>
#include <limits>
#include <string>

#include "comm/activity.h"
#include "comm/backoff.h"
#include "core/error.h"

namespace straq::comm {
namespace {

constexpr int kControlTag = 17;

}  // namespace

void wait_softly(MPI_Request& request) {
  Backoff backoff;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done) backoff.pause();
}

void Communicator::send(int to, const Json& body) const {
  post(to, body);
  wait_softly(posted_.back().request);
  posted_.pop_back();
}

Communicator::~Communicator() {
  // After a failure nobody may receive any more: the job is ending, and what MPI still reads stays.
  if (std::uncaught_exceptions() > 0) {
    new std::list<Posted>(std::move(posted_));
    return;
  }
  for (auto& p : posted_) wait_softly(p.request);
}

void Communicator::post(int to, const Json& body) const {
  // MessagePack, not text: the paths in a message are any bytes and must arrive as they are, and so
  // must numbers that JSON's text has no word for.
  std::string bytes;
  Json::to_msgpack(body, bytes);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    fail_runtime(
        "a message to rank " + std::to_string(to) + " has " + std::to_string(bytes.size()) +
            " bytes, more than MPI sends at once",
        "lower shards.dialogues_per_shard: a work item travels with the places of its dialogues");
  }
  auto& p = posted_.emplace_back(Posted{std::move(bytes), MPI_REQUEST_NULL});
  MPI_Isend(p.bytes.data(), static_cast<int>(p.bytes.size()), MPI_CHAR, to, kControlTag, comm_,
            &p.request);
}

std::optional<Message> Communicator::poll(int source) const {
  posted_.remove_if([](Posted& p) {
    int done = 0;
    MPI_Test(&p.request, &done, MPI_STATUS_IGNORE);
    return done != 0;
  });
  int flag = 0;
  MPI_Message handle;
  MPI_Status status;
  MPI_Improbe(source == kAnybody ? MPI_ANY_SOURCE : source, kControlTag, comm_, &flag, &handle,
              &status);
  if (!flag) return std::nullopt;
  int size = 0;
  MPI_Get_count(&status, MPI_CHAR, &size);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  MPI_Mrecv(bytes.data(), size, MPI_CHAR, &handle, MPI_STATUS_IGNORE);
  try {
    return Message{status.MPI_SOURCE, Json::from_msgpack(bytes)};
  } catch (const Json::exception& e) {
    fail_runtime(
        "a message of rank " + std::to_string(status.MPI_SOURCE) + " cannot be read: " + e.what(),
        "every rank must run the same build of the program");
  }
}

void broadcast_directive(MPI_Comm comm, Directive& directive) {
  const CollectiveNote note("directive's broadcast", 1);
  MPI_Request request;
  MPI_Ibcast(&directive, sizeof directive, MPI_BYTE, 0, comm, &request);
  wait_softly(request);
}

}  // namespace straq::comm
