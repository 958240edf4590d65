#include "coordinate/coordinator.h"

#include <utility>

#include "comm/activity.h"
#include "comm/fault.h"
#include "comm/outcome.h"
#include "comm/stop.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"
#include "dialogue/episode_json.h"
#include "train/torch_failure.h"

namespace straq::coordinate {
namespace {

// Items that a preprocessor holds: one in work, and the next, so that it never waits for an answer.
constexpr int kItemsAhead = 2;

}  // namespace

Coordinator::Coordinator(const comm::World& world, const comm::Layout& layout,
                         const comm::Groups& groups, Ledger& ledger)
    : layout_(layout),
      groups_(groups),
      ledger_(ledger),
      control_(world.comm()),
      state_(static_cast<std::size_t>(layout.groups())) {}

int Coordinator::run() {
  log::info("coordinate", "{}", layout_.describe());
  comm::hang_if_arranged(0);
  auto finished = [&] {
    for (const auto& g : state_) {
      if (!g.finished) return false;
    }
    for (const auto& d : ledger_.datasets()) {
      if (!d.pending.empty() || d.in_flight > 0) return false;
    }
    // Preprocessors are released last, so that none is missed.
    return static_cast<int>(idle_preprocessors_.size()) == kItemsAhead * layout_.preprocessors;
  };
  while (!finished()) {
    // Waiting sleeps between polls: the coordinator shares a core with a learner on a laptop.
    // In a job that is being aborted the launcher's signals are no request.
    const auto signalled = [&] {
      return comm::stop_requested() && !ledger_.stopping() && !comm::abort_announced();
    };
    if (const auto message = control_.receive_unless(signalled)) {
      handle(*message);
    } else {
      stop("the coordinator");
    }
    feed_groups();
  }
  const int code = ledger_.exit_code();
  for (int rank = 1; rank < layout_.world; ++rank) {
    control_.send(rank, {{"type", "finish"}, {"code", code}});
  }
  return code;
}

void Coordinator::stop(const std::string& who) {
  if (ledger_.stopping() || comm::abort_announced()) return;
  // What was saved the learners say themselves.
  log::warn("coordinate", "{} was asked to stop: asking the learners to save and end", who);
  ledger_.stop();
}

void Coordinator::handle(const comm::Message& message) {
  if (message.body.at("type") == "stop") {
    stop("rank " + std::to_string(message.source));
    return;
  }
  if (layout_.role_of(message.source) == comm::Role::preprocessor) {
    handle_preprocessor(message);
  } else {
    handle_leader(layout_.group_of(message.source), message);
  }
}

void Coordinator::handle_preprocessor(const comm::Message& message) {
  const std::string type = message.body.at("type");
  if (type != "ready") {
    auto& items = in_hand_.at(message.source);
    const auto [dataset, item] = items.front();
    items.pop_front();
    DatasetProgress& progress = ledger_.datasets()[dataset];
    --progress.in_flight;
    if (type == "record") {
      try {
        comm::fault_point("keeping a record");
        progress.job->add(shard::record_from_json(
            message.body.at("record"), "record of rank " + std::to_string(message.source)));
      } catch (const std::exception& e) {  // the manifest's disk is full, most likely
        progress.fail(item, train::as_failure(e));
      }
    } else {
      progress.fail(item,
                    results::PointFailure(results::failure_kind(message.body.at("failure")),
                                          Error(static_cast<ErrorKind>(message.body.at("kind")),
                                                message.body.at("reason"))));
    }
    progress.release_if_over();
  }
  feed_preprocessor(message.source);
}

void Coordinator::feed_preprocessor(int rank) {
  for (std::size_t d = 0; d < ledger_.datasets().size(); ++d) {
    DatasetProgress& progress = ledger_.datasets()[d];
    if (progress.pending.empty()) continue;
    const shard::WorkItem item = progress.pending.front();
    progress.pending.pop_front();
    ++progress.in_flight;
    in_hand_[rank].emplace_back(d, item);
    auto episodes = comm::Json::array();
    for (const auto& e : progress.job->episodes(item)) episodes.push_back(dialogue::to_json(e));
    control_.post(rank, {{"type", "item"},
                         {"dataset", d},
                         {"config", config::to_yaml(progress.config)},
                         {"key", progress.job->key()},
                         {"folder", progress.job->folder()},
                         {"tokenizer", progress.job->tokenizer_path()},
                         {"split", item.split},
                         {"index", item.index},
                         {"first", item.first},
                         {"count", item.count},
                         {"episodes", std::move(episodes)}});
    return;
  }
  idle_preprocessors_.push_back(rank);
}

void Coordinator::handle_leader(int g, const comm::Message& message) {
  Group& group = state_[static_cast<std::size_t>(g)];
  const std::string type = message.body.at("type");
  if (type == "status") {
    if (!std::exchange(group.begun, true)) ledger_.update_index();
    comm::Directive directive =
        group.pacer.direct(comm::status_from_json(message.body.at("status")), ledger_.stopping());
    comm::broadcast_directive(groups_.directive(g), directive);
    return;
  }
  if (type == "await") {
    group.awaiting = true;
    return;
  }
  // "idle": the group has no point (any more); it says how the last one went.
  if (group.busy) {
    PointJob& job = ledger_.points()[group.point];
    job.note(train::PointResult::from_json(message.body.at("result")));
    group.busy = false;
    ledger_.update_index();
  }
  group.waiting = true;
}

void Coordinator::feed_groups() {
  for (int g = 0; g < layout_.groups(); ++g) {
    Group& group = state_[static_cast<std::size_t>(g)];
    if (group.awaiting) {
      const auto& data = ledger_.datasets()[ledger_.points()[group.point].dataset];
      if (data.complete() || !data.failure.empty()) {
        group.awaiting = false;
        to_group(g,
                 {{"type", data.complete() ? "complete" : "incomplete"}, {"reason", data.failure}});
      } else if (ledger_.stopping()) {
        group.awaiting = false;
        to_group(g, {{"type", "stop"}});
      }
    }
    if (group.waiting && !group.finished) assign_point(g);
  }
}

bool Coordinator::assign_point(int g) {
  Group& group = state_[static_cast<std::size_t>(g)];
  if (ledger_.stopping()) {
    group.finished = true;
    return false;
  }
  bool later = false;
  for (const std::size_t i : ledger_.order()) {
    PointJob& job = ledger_.points()[i];
    if (job.state != results::PointState::missing || job.elsewhere) continue;
    const auto& data = ledger_.datasets()[job.dataset];
    if (!data.failure.empty()) {
      ledger_.fail_without_data(job);
      continue;
    }
    if (!data.ready(train::splits_to_train(job.config))) {
      later = true;
      continue;
    }
    job.state = results::PointState::running;
    group.waiting = false;
    group.busy = true;
    group.point = i;
    group.begun = false;
    group.pacer = {};
    ledger_.update_index();
    comm::Json body = {{"type", "point"}, {"task", ledger_.task(job).to_json()}};
    log::info("coordinate", "group {}: {}", g, job.point.name);
    to_group(g, body);
    return true;
  }
  if (later) return false;
  if (ledger_.revisit()) return assign_point(g);
  group.finished = true;  // told with everybody else, at the end
  return false;
}

void Coordinator::to_group(int g, const comm::Json& body) const {
  for (int i = 0; i < layout_.group_size; ++i) control_.send(layout_.leader_of(g) + i, body);
}

int run_preprocessor(const comm::World& world) {
  const comm::Communicator control(world.comm());
  std::map<std::size_t, std::unique_ptr<ShardMaker>> makers;
  for (int i = 0; i < kItemsAhead; ++i) control.send(0, {{"type", "ready"}});
  while (true) {
    comm::enter_phase("waiting for work", comm::Patience::none);
    const comm::Json body = train::receive_order(control).body;
    if (body.at("type") == "finish") return body.at("code");
    shard::WorkItem item;
    body.at("split").get_to(item.split);
    body.at("index").get_to(item.index);
    body.at("first").get_to(item.first);
    body.at("count").get_to(item.count);
    comm::enter_phase("preprocessing a shard", comm::Patience::phase, item.index);
    comm::hang_if_arranged(item.index);
    try {
      comm::fault_point("preprocessing");
      auto& maker = makers[body.at("dataset").get<std::size_t>()];
      if (!maker) {
        maker =
            std::make_unique<ShardMaker>(experiment::read_experiment(config::parse_yaml(
                                             body.at("config").get<std::string>(), "config")),
                                         body.at("tokenizer"), body.at("folder"), body.at("key"));
      }
      std::vector<dialogue::Episode> episodes;
      for (const auto& e : body.at("episodes")) episodes.push_back(dialogue::episode_from_json(e));
      const auto record = maker->process(item, episodes);
      log::debug("preprocess", "{}: {} decisions", item.file(), record.decisions);
      control.send(0, {{"type", "record"}, {"record", shard::to_json(record)}});
    } catch (const std::exception& e) {
      const results::PointFailure failure = train::as_failure(e);
      control.send(0, {{"type", "failed"},
                       {"reason", failure.full()},
                       {"failure", name(failure.failure())},
                       {"kind", failure.exit_code()}});
    }
  }
}

int run_learner(const comm::World& world, const comm::Layout& layout, const comm::Groups& groups) {
  const comm::Communicator control(world.comm());
  const int group = layout.group_of(world.rank());
  const bool leader = world.rank() == layout.leader_of(group);
  train::LearnerGroup learners(groups.learners(), layout.node);
  train::MpiDirector director(world.comm(), groups.directive(group), leader);
  train::PointResult last;
  while (true) {
    if (leader) {
      control.send(0, {{"type", "idle"}, {"result", last.to_json()}});
    }
    comm::enter_phase("waiting for a point", comm::Patience::none);
    const comm::Json body = train::receive_order(control).body;
    if (body.at("type") == "finish") return body.at("code");
    last =
        train::run_point(train::PointTask::from_json(body.at("task")), learners, director, layout);
  }
}

namespace {

int run_alone(Ledger& ledger, const comm::Layout& layout) {
  for (auto& data : ledger.datasets()) {
    for (; !data.pending.empty(); data.pending.pop_front()) {
      if (comm::stop_requested()) ledger.stop();
      if (ledger.stopping()) return ledger.exit_code();
      const shard::WorkItem item = data.pending.front();
      comm::enter_phase("preprocessing a shard", comm::Patience::phase, item.index);
      try {
        data.job->add(data.job->process(item));
      } catch (const std::exception& e) {
        // As on many ranks: its points fail, the others do not need it.
        data.fail(item, train::as_failure(e));
        break;
      }
    }
    data.release_if_over();
  }
  if (layout.learners == 0) return ledger.exit_code();
  train::LearnerGroup learners(MPI_COMM_NULL, {});
  train::LocalDirector director([&] { ledger.update_index(); });
  do {
    for (const std::size_t i : ledger.order()) {
      PointJob& job = ledger.points()[i];
      if (job.state != results::PointState::missing || job.elsewhere) continue;
      if (comm::stop_requested()) ledger.stop();
      if (ledger.stopping()) break;
      if (!ledger.datasets()[job.dataset].failure.empty()) {
        ledger.fail_without_data(job);
        continue;
      }
      job.state = results::PointState::running;
      ledger.update_index();
      job.note(train::run_point(ledger.task(job), learners, director, layout));
      if (comm::stop_requested()) ledger.stop();
      ledger.update_index();
    }
  } while (!ledger.stopping() && ledger.revisit());
  return ledger.exit_code();
}

}  // namespace

namespace {

int run_coordinator(const comm::World& world, const comm::Layout& layout,
                    const comm::Groups& groups, const JobPlan& plan) {
  std::unique_ptr<Ledger> ledger;
  try {
    comm::fault_point("planning");
    ledger = std::make_unique<Ledger>(plan);
  } catch (const std::exception& e) {
    // Nobody works yet: the others wait for their first message, which is the last one.
    const results::PointFailure failure = train::as_failure(e);
    for (int rank = 1; rank < layout.world; ++rank) {
      comm::Communicator(world.comm())
          .send(rank, {{"type", "finish"}, {"code", failure.exit_code()}});
    }
    if (failure.kind() == ErrorKind::stopped) {
      log::warn("coordinate", "{}", failure.full());
    } else {
      log::error("coordinate", "{}", failure.full());
    }
    return failure.exit_code();
  }
  const int code = Coordinator(world, layout, groups, *ledger).run();
  ledger->update_index(/*all=*/true);
  ledger->log_summary();
  return code;
}

}  // namespace

int run_job(const comm::World& world, const JobPlan& plan) {
  comm::watch_for_stop();
  comm::enter_phase("planning the job", comm::Patience::phase);
  comm::Layout layout;
  comm::agreed(world.comm(), [&] {
    comm::fault_point("reading the settings");
    if (plan.hang_rank >= world.size()) {
      fail_input("--hang-rank " + std::to_string(plan.hang_rank) + ": the job has " +
                 std::to_string(world.size()) + " ranks, numbered from 0");
    }
    const experiment::ExperimentConfig whole = experiment::read_experiment(plan.config);
    comm::RoleNeeds needs;
    needs.preprocess = plan.preprocess;
    needs.learn = plan.learn;
    layout = comm::plan_roles(world.size(), whole.roles, needs);
    comm::ProcessWatch::configure(whole.watchdog.seconds, layout);
  });
  if (plan.hang_rank == world.rank()) comm::arrange_hang(plan.hang_step);
  if (layout.single()) {
    JobPlan mine = plan;
    mine.alone = true;
    Ledger ledger(mine);
    const int code = run_alone(ledger, layout);
    ledger.update_index(/*all=*/true);
    ledger.log_summary();
    return code;
  }
  const comm::Groups groups(world, layout);
  switch (layout.role_of(world.rank())) {
    case comm::Role::coordinator:
      return run_coordinator(world, layout, groups, plan);
    case comm::Role::preprocessor:
      return run_preprocessor(world);
    case comm::Role::learner:
      return run_learner(world, layout, groups);
  }
  return 1;
}

}  // namespace straq::coordinate
