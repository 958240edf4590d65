#include "train/director.h"

#include <algorithm>

#include "comm/activity.h"
#include "comm/stop.h"
#include "core/error.h"

namespace straq::train {
namespace {

bool coordinator_knows = false;  // that a signal has reached this process

// A signal that the coordinator is to hear of. In a job that is being aborted the launcher's
// signals are no request, and nothing will be saved.
bool request_to_pass_on() {
  return !coordinator_knows && comm::stop_requested() && !comm::abort_announced();
}

constexpr double kLocalLeaseSeconds = 1;

// The smallest multiple of `every` above `done`; `otherwise` when nothing is due at intervals.
std::int64_t next_multiple(std::int64_t done, std::int64_t every, std::int64_t otherwise) {
  return every > 0 ? (done / every + 1) * every : otherwise;
}

bool due(std::int64_t done, std::int64_t every) {
  return every > 0 && done > 0 && done % every == 0;
}

comm::Stop reason_to_stop(const comm::Status& s, bool requested) {
  if (s.diverged) return comm::Stop::diverged;
  if (s.failed) return comm::Stop::failed;
  if (requested || s.stop_requested) return comm::Stop::requested;
  return s.satisfied ? comm::Stop::satisfied : comm::Stop::no;
}

}  // namespace

comm::Directive decide(const comm::Status& s, double seconds_since_checkpoint, bool requested) {
  comm::Directive directive;
  const std::int64_t done = s.step - s.stage_begin, length = s.stage_end - s.stage_begin;
  directive.stop = reason_to_stop(s, requested);
  directive.sync_target = due(done, s.sync_every);
  directive.evaluate = s.evaluate_every > 0 && s.evaluated_step != s.step && done > 0 &&
                       (due(done, s.evaluate_every) || done == length);

  const bool broken =
      directive.stop == comm::Stop::diverged || directive.stop == comm::Stop::failed;
  const bool periodic = s.checkpoint_every > 0 || s.checkpoint_seconds > 0;
  const bool over = s.step == s.run_end || directive.stop == comm::Stop::satisfied;
  directive.checkpoint =
      !broken && s.checkpoint_step != s.step &&
      (directive.stop == comm::Stop::requested || (periodic && over) ||
       due(s.step, s.checkpoint_every) ||
       (s.checkpoint_seconds > 0 && seconds_since_checkpoint >= s.checkpoint_seconds));

  std::int64_t lease = 1;
  if (s.step_seconds > 0) {
    const double steps = kLeaseSeconds / s.step_seconds;
    lease = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(steps, 1e9)));
  }
  directive.run_until = std::min({s.stage_end, s.step + lease,
                                  s.stage_begin + next_multiple(done, s.sync_every, length),
                                  s.stage_begin + next_multiple(done, s.evaluate_every, length),
                                  next_multiple(s.step, s.checkpoint_every, s.stage_end)});
  return directive;
}

comm::Directive Pacer::direct(const comm::Status& status, bool requested) {
  const auto now = std::chrono::steady_clock::now();
  const auto directive =
      decide(status, std::chrono::duration<double>(now - last_).count(), requested);
  if (directive.checkpoint) last_ = now;
  return directive;
}

comm::Directive LocalDirector::boundary(const comm::Status& status) {
  comm::Directive directive = pacer_.direct(status, comm::stop_requested());
  // Nobody has to be asked, so a boundary costs nothing; a person who pressed Ctrl-C is waiting.
  if (status.step_seconds > 0) {
    const double steps = std::clamp(kLocalLeaseSeconds / status.step_seconds, 1.0, 1e9);
    directive.run_until =
        std::min(directive.run_until, status.step + static_cast<std::int64_t>(steps));
  }
  return directive;
}

void pass_on_stop(const comm::Communicator& control) {
  if (!request_to_pass_on()) return;
  coordinator_knows = true;
  control.send(0, {{"type", "stop"}});
}

comm::Message receive_order(const comm::Communicator& control) {
  while (true) {
    if (auto message = control.receive_unless(request_to_pass_on, 0)) return std::move(*message);
    pass_on_stop(control);
  }
}

comm::Directive MpiDirector::boundary(const comm::Status& status) {
  pass_on_stop(control_);
  comm::enter_phase("waiting for the coordinator's directive", comm::Patience::step, status.step);
  if (leader_) control_.send(0, {{"type", "status"}, {"status", comm::to_json(status)}});
  comm::Directive directive;
  comm::broadcast_directive(directives_, directive);
  return directive;
}

void MpiDirector::await_dataset() {
  comm::enter_phase("waiting for shards", comm::Patience::none);
  if (leader_) control_.send(0, {{"type", "await"}});
  const auto message = receive_order(control_);
  const std::string type = message.body.at("type");
  if (type == "stop") {
    throw Error(ErrorKind::stopped, "stopped on request before all splits were preprocessed",
                "run the same command again to go on");
  }
  if (type != "complete") {
    fail_runtime("preprocessing failed while this point was training: " +
                 message.body.value("reason", std::string("no reason given")));
  }
}

}  // namespace straq::train
