#include "coordinate/coordinator.h"

#include <algorithm>

#include "comm/stop.h"
#include "comm/watchdog.h"
#include "coordinate/protocol.h"
#include "core/log.h"

namespace straq::coordinate {

int Coordinator::run() {
  log::info("coordinate", "{}", layout_.describe());
  comm::hang_if_arranged(0);
  while (!over()) {
    // Waiting sleeps between polls: the coordinator shares a core with a learner on a laptop.
    const auto signalled = [&] { return !progress_.stopping() && asked_to_stop_(); };
    if (const auto message = control_.receive_unless(signalled)) {
      handle(*message);
    } else {
      stop("the coordinator");
    }
    for (const auto& desk : desks_) desk->feed();
  }
  const int code = progress_.exit_code();
  finish_all(control_, layout_, code);
  return code;
}

bool Coordinator::over() const {
  return std::all_of(desks_.begin(), desks_.end(), [](const auto& desk) { return desk->over(); });
}

void Coordinator::stop(const std::string& who) {
  // In a job that is being aborted the launcher's signals are no request.
  if (progress_.stopping() || comm::abort_announced()) return;
  // What was saved the learners say themselves.
  log::warn("coordinate", "{} was asked to stop: asking the learners to save and end", who);
  progress_.stop();
}

void Coordinator::handle(const comm::Message& message) {
  if (is<StopWord>(message)) {
    stop("rank " + std::to_string(message.source));
    return;
  }
  const std::string type = type_of(message);
  for (const auto& desk : desks_) {
    if (desk->takes(type)) {
      desk->handle(message);
      return;
    }
  }
  fail_unknown(message);
}

void finish_all(const comm::Control& control, const comm::Layout& layout, int code) {
  const comm::Json last = encode(Finish{code});
  for (int rank = 1; rank < layout.world; ++rank) control.send(rank, last);
}

}  // namespace straq::coordinate
