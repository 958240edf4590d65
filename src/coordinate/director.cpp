#include "coordinate/director.h"

#include <algorithm>

#include "core/error.h"

namespace straq::coordinate {

comm::Directive decide(const comm::Status& status) {
  comm::Directive directive;
  const std::int64_t done = status.step - status.stage_begin;
  const std::int64_t lease = status.sync_every > 0 ? status.sync_every : kLease;
  directive.sync_target = status.sync_every > 0 && done > 0 && done % status.sync_every == 0;
  directive.run_until = std::min(status.stage_end, status.stage_begin + (done / lease + 1) * lease);
  directive.stop = status.diverged;
  return directive;
}

comm::Directive MpiDirector::boundary(const comm::Status& status) {
  if (leader_) control_.send(0, {{"type", "status"}, {"status", comm::to_json(status)}});
  comm::Directive directive;
  comm::broadcast_directive(directives_, directive);
  return directive;
}

void MpiDirector::await_dataset() {
  if (leader_) control_.send(0, {{"type", "await"}});
  const auto message = control_.receive(0);
  if (message.body.at("type") != "complete") {
    fail_runtime("preprocessing failed while this point was training: " +
                 message.body.value("reason", std::string("no reason given")));
  }
}

}  // namespace straq::coordinate
