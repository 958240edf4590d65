#include "coordinate/point_desk.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "experiment/stages.h"

namespace straq::coordinate {

PointDesk::PointDesk(const comm::Control& control, const comm::Layout& layout,
                     std::vector<comm::DirectiveLine*> directives, JobProgress& progress)
    : control_(control),
      layout_(layout),
      directives_(std::move(directives)),
      progress_(progress),
      groups_(static_cast<std::size_t>(layout.groups())) {}

bool PointDesk::takes(const std::string& type) const {
  return type == Idle::kType || type == StatusReport::kType || type == Await::kType;
}

void PointDesk::handle(const comm::Message& message) {
  const auto g = static_cast<std::size_t>(layout_.group_of(message.source));
  Group& group = groups_.at(g);
  const auto said = decode<Idle, StatusReport, Await>(message);
  if (const auto* report = std::get_if<StatusReport>(&said)) {
    answer_status(g, report->status);
  } else if (const auto* idle = std::get_if<Idle>(&said)) {
    take_back(group, idle->last);
  } else {
    group.awaiting = true;
  }
}

void PointDesk::answer_status(std::size_t g, const comm::Status& status) {
  Group& group = groups_[g];
  if (!std::exchange(group.begun, true)) progress_.update_index();
  comm::Directive directive = group.pacer.direct(status, progress_.stopping());
  directives_.at(g)->broadcast(directive);
}

// The group has no point (any more); it says how the last one went.
void PointDesk::take_back(Group& group, train::PointResult result) {
  if (group.busy) {
    progress_.points()[group.point].note(std::move(result));
    group.busy = false;
    progress_.update_index();
  }
  group.waiting = true;
}

void PointDesk::feed() {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].awaiting) answer_await(g);
    if (groups_[g].waiting && !groups_[g].finished) assign_point(g);
  }
}

void PointDesk::answer_await(std::size_t g) {
  Group& group = groups_[g];
  const auto& data = progress_.datasets()[progress_.points()[group.point].dataset];
  if (data.complete()) {
    to_group(g, ShardsComplete{});
  } else if (!data.failure.empty()) {
    to_group(g, ShardsIncomplete{data.failure});
  } else if (progress_.stopping()) {
    to_group(g, StopWord{});
  } else {
    return;
  }
  group.awaiting = false;
}

PointJob* PointDesk::next_point(bool& later) {
  for (const std::size_t i : progress_.order()) {
    PointJob& job = progress_.points()[i];
    if (job.state != results::PointState::missing || job.elsewhere) continue;
    const auto& data = progress_.datasets()[job.dataset];
    if (!data.failure.empty()) {
      progress_.fail_without_data(job);
    } else if (data.ready(experiment::splits_to_train(job.config))) {
      return &job;
    } else {
      later = true;
    }
  }
  return nullptr;
}

void PointDesk::assign_point(std::size_t g) {
  Group& group = groups_[g];
  bool later = false;
  PointJob* job = nullptr;
  if (!progress_.stopping()) {
    do {
      job = next_point(later);
    } while (job == nullptr && !later && progress_.revisit());
    if (job == nullptr && later) return;
  }
  if (job == nullptr) {
    group.finished = true;  // told with everybody else, at the end
    return;
  }
  job->state = results::PointState::running;
  group.waiting = false;
  group.busy = true;
  group.point = static_cast<std::size_t>(job - progress_.points().data());
  group.begun = false;
  group.pacer = {};
  progress_.update_index();
  log::info("coordinate", "group {}: {}", g, job->point.name);
  to_group(g, PointOrder{progress_.task(*job)});
}

bool PointDesk::over() const {
  return std::all_of(groups_.begin(), groups_.end(), [](const Group& g) { return g.finished; });
}

template <class M>
void PointDesk::to_group(std::size_t g, const M& message) const {
  const comm::Json body = encode(message);
  for (int i = 0; i < layout_.group_size; ++i) {
    control_.send(layout_.leader_of(static_cast<int>(g)) + i, body);
  }
}

}  // namespace straq::coordinate
