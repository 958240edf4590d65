#include "coordinate/run_job.h"

#include <memory>
#include <vector>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/fault.h"
#include "comm/outcome.h"
#include "comm/roles.h"
#include "comm/stop.h"
#include "comm/watchdog.h"
#include "coordinate/coordinator.h"
#include "coordinate/point_desk.h"
#include "coordinate/rank_loops.h"
#include "coordinate/shard_desk.h"
#include "core/error.h"
#include "core/log.h"
#include "train/torch_failure.h"

namespace straq::coordinate {
namespace {

constexpr int kMe = 0;  // who is alone, as a holder of work

// False when the job was asked to stop.
bool make_shards_alone(JobProgress& progress) {
  while (progress.shards().waiting()) {
    if (comm::stop_requested()) progress.stop();
    if (progress.stopping()) return false;
    const auto work = progress.shards().take(kMe);
    comm::enter_phase("preprocessing a shard", comm::Patience::phase, work->item.index);
    try {
      progress.shard_made(kMe, progress.datasets()[work->lot].job->process(work->item));
    } catch (const std::exception& e) {
      // As on many ranks: its points fail, the others do not need it.
      progress.shard_failed(kMe, train::as_failure(e));
    }
  }
  return true;
}

void run_points_alone(JobProgress& progress, const comm::Layout& layout) {
  train::LearnerGroup learners(MPI_COMM_NULL, {});
  train::LocalDirector director([&] { progress.update_index(); });
  do {
    for (const std::size_t i : progress.order()) {
      PointJob& job = progress.points()[i];
      if (job.state != results::PointState::missing || job.elsewhere) continue;
      if (comm::stop_requested()) progress.stop();
      if (progress.stopping()) break;
      if (!progress.datasets()[job.dataset].failure.empty()) {
        progress.fail_without_data(job);
        continue;
      }
      job.state = results::PointState::running;
      progress.update_index();
      job.note(train::run_point(progress.task(job), learners, director, layout));
      if (comm::stop_requested()) progress.stop();
      progress.update_index();
    }
  } while (!progress.stopping() && progress.revisit());
}

int run_alone(const JobPlan& plan, const comm::Layout& layout) {
  JobPlan mine = plan;
  mine.alone = true;
  JobProgress progress(mine);
  if (make_shards_alone(progress) && layout.learners > 0) run_points_alone(progress, layout);
  const int code = progress.exit_code();
  progress.update_index(/*all=*/true);
  progress.log_summary();
  return code;
}

// Nobody works yet: the others wait for their first message, which is the last one.
int end_before_start(const comm::Control& control, const comm::Layout& layout,
                     const results::PointFailure& failure) {
  finish_all(control, layout, failure.exit_code());
  if (failure.kind() == ErrorKind::stopped) {
    log::warn("coordinate", "{}", failure.full());
  } else {
    log::error("coordinate", "{}", failure.full());
  }
  return failure.exit_code();
}

int run_coordinator(const comm::World& world, const comm::Layout& layout,
                    const comm::Groups& groups, const JobPlan& plan) {
  const comm::Communicator control(world.comm());
  JobPlan mine = plan;
  // Without a preprocessor nobody would ever make what is missing: then it is an error.
  mine.preprocess = plan.preprocess && layout.preprocessors > 0;
  std::unique_ptr<JobProgress> progress;
  try {
    comm::fault_point("planning");
    progress = std::make_unique<JobProgress>(mine);
  } catch (const std::exception& e) {
    return end_before_start(control, layout, train::as_failure(e));
  }
  std::vector<comm::MpiDirectiveLine> lines;
  for (int g = 0; g < layout.groups(); ++g) lines.emplace_back(groups.directive(g));
  std::vector<comm::DirectiveLine*> directives;
  for (auto& line : lines) directives.push_back(&line);
  Coordinator coordinator(control, layout, *progress);
  coordinator.add(std::make_unique<ShardDesk>(control, *progress, layout.preprocessors));
  coordinator.add(std::make_unique<PointDesk>(control, layout, directives, *progress));
  const int code = coordinator.run();
  progress->update_index(/*all=*/true);
  progress->log_summary();
  return code;
}

int run_worker(const comm::World& world, const comm::Layout& layout, const comm::Groups& groups) {
  const comm::Communicator control(world.comm());
  OrderLine orders(control);
  if (layout.role_of(world.rank()) == comm::Role::preprocessor) return run_preprocessor(orders);
  const int group = layout.group_of(world.rank());
  train::LearnerGroup learners(groups.learners(), layout.node);
  comm::MpiDirectiveLine directives(groups.directive(group));
  return run_learner(orders, directives, world.rank() == layout.leader_of(group),
                     [&](const train::PointTask& task, train::Director& director) {
                       return train::run_point(task, learners, director, layout);
                     });
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
  if (layout.single()) return run_alone(plan, layout);
  const comm::Groups groups(world, layout);
  if (world.rank() == 0) return run_coordinator(world, layout, groups, plan);
  return run_worker(world, layout, groups);
}

}  // namespace straq::coordinate
