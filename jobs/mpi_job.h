// What the commands that run under MPI share: the world, one message per shared mistake, and an end
// of the whole job when one rank fails where the others cannot know.
#pragma once

#include <functional>

#include "comm/world.h"
#include "command.h"
#include "coordinate/run_job.h"

namespace straq::jobs {

// What the commands that train have in common: --continue-anyway, and a rank that waits for a
// debugger (--hang-rank R, --hang-step N).
struct JobOptions {
  bool continue_anyway = false;
  int rank = -1;
  std::int64_t step = 0;
  void add_to(CLI::App& app);
  void apply(coordinate::JobPlan& plan) const;
};

// Starts MPI and the watchdog, loads the config on every rank and runs `body`. What one rank cannot
// load, or loads differently, all ranks leave with, in that rank's words; so they do with a
// SharedError or SharedFailure out of `body`. Any other exception out of `body` is one rank's alone
// and ends the whole job with its exit code.
int run_with_mpi(const ConfigArgument& config,
                 const std::function<int(const comm::World&, const config::Value&)>& body);

// Runs `work` on rank 0 while the others wait, and gives everybody its exit code. Throws
// comm::SharedError on all for what `work` throws.
int on_rank_zero(const comm::World& world, const std::function<int()>& work);

// Generates the simulated corpus that the config's `simulate` section names, if it names one. Gives
// everybody the exit code.
int prepare_corpus(const comm::World& world, const config::Value& root);

}  // namespace straq::jobs
