#include "comm/communicator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <string>
#include <thread>

#include "comm/activity.h"
#include "core/error.h"

namespace straq::comm {
namespace {

constexpr int kControlTag = 17;

// Sleeps longer the longer nothing happened; bounded so that a boundary costs at most a
// millisecond.
class Backoff {
 public:
  void pause() {
    if (++polls_ < 64) return;
    std::this_thread::sleep_for(std::chrono::microseconds(sleep_));
    sleep_ = std::min(sleep_ * 2, 1000);
  }

 private:
  int polls_ = 0;
  int sleep_ = 20;
};

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
    fail_runtime("a message to rank " + std::to_string(to) + " has " +
                     std::to_string(bytes.size()) + " bytes, more than MPI sends at once",
                 "lower shards.dialogues_per_shard: a work item travels with its dialogues");
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
  MPI_Improbe(source, kControlTag, comm_, &flag, &handle, &status);
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

Message Communicator::receive(int source) const {
  return std::move(*receive_unless([] { return false; }, source));
}

std::optional<Message> Communicator::receive_unless(const std::function<bool()>& give_up,
                                                    int source) const {
  Backoff backoff;
  while (true) {
    if (auto message = poll(source)) return message;
    if (give_up()) return std::nullopt;
    backoff.pause();
  }
}

Json to_json(const Status& s) {
  return {{"step", s.step},
          {"stage_begin", s.stage_begin},
          {"stage_end", s.stage_end},
          {"run_end", s.run_end},
          {"sync_every", s.sync_every},
          {"evaluate_every", s.evaluate_every},
          {"evaluated_step", s.evaluated_step},
          {"checkpoint_every", s.checkpoint_every},
          {"checkpoint_seconds", s.checkpoint_seconds},
          {"checkpoint_step", s.checkpoint_step},
          {"step_seconds", std::isfinite(s.step_seconds) ? s.step_seconds : 0.0},
          {"diverged", s.diverged},
          {"failed", s.failed},
          {"satisfied", s.satisfied},
          {"stop_requested", s.stop_requested}};
}

Status status_from_json(const Json& j) {
  Status s;
  j.at("step").get_to(s.step);
  j.at("stage_begin").get_to(s.stage_begin);
  j.at("stage_end").get_to(s.stage_end);
  j.at("run_end").get_to(s.run_end);
  j.at("sync_every").get_to(s.sync_every);
  j.at("evaluate_every").get_to(s.evaluate_every);
  j.at("evaluated_step").get_to(s.evaluated_step);
  j.at("checkpoint_every").get_to(s.checkpoint_every);
  j.at("checkpoint_seconds").get_to(s.checkpoint_seconds);
  j.at("checkpoint_step").get_to(s.checkpoint_step);
  j.at("step_seconds").get_to(s.step_seconds);
  j.at("diverged").get_to(s.diverged);
  j.at("failed").get_to(s.failed);
  j.at("satisfied").get_to(s.satisfied);
  j.at("stop_requested").get_to(s.stop_requested);
  return s;
}

void broadcast_directive(MPI_Comm comm, Directive& directive) {
  const CollectiveNote note("directive's broadcast", 1);
  MPI_Request request;
  MPI_Ibcast(&directive, sizeof directive, MPI_BYTE, 0, comm, &request);
  wait_softly(request);
}

}  // namespace straq::comm
