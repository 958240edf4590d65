#include "train/director.h"

#include <algorithm>

#include "comm/stop.h"

namespace straq::train {
namespace {

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

}  // namespace straq::train
