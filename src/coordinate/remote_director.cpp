#include "coordinate/remote_director.h"

#include "comm/activity.h"
#include "core/error.h"

namespace straq::coordinate {

comm::Directive RemoteDirector::boundary(const comm::Status& status) {
  orders_.pass_on_stop();
  comm::enter_phase("waiting for the coordinator's directive", comm::Patience::step, status.step);
  if (leader_) orders_.tell(StatusReport{status});
  comm::Directive directive;
  directives_.broadcast(directive);
  return directive;
}

void RemoteDirector::await_dataset() {
  comm::enter_phase("waiting for shards", comm::Patience::none);
  if (leader_) orders_.tell(Await{});
  const auto answer = decode<ShardsComplete, ShardsIncomplete, StopWord>(orders_.next());
  if (std::holds_alternative<StopWord>(answer)) {
    throw Error(ErrorKind::stopped, "stopped on request before all splits were preprocessed",
                "run the same command again to go on");
  }
  if (const auto* incomplete = std::get_if<ShardsIncomplete>(&answer)) {
    fail_runtime("preprocessing failed while this point was training: " + incomplete->reason);
  }
}

}  // namespace straq::coordinate
