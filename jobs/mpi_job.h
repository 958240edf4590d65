// What the commands that run under MPI share: the world, one message per shared mistake, and an end
// of the whole job when one rank fails where the others cannot know.
#pragma once

#include <functional>

#include "comm/world.h"
#include "command.h"
#include "coordinate/coordinator.h"

namespace straq::jobs {

// --hang-rank R and --hang-step N: a rank that waits for a debugger.
struct HangOptions {
  int rank = -1;
  std::int64_t step = 0;
  void add_to(CLI::App& app);
  void apply(coordinate::JobPlan& plan) const;
};

// Starts MPI, loads the config on every rank and runs `body`. An Error thrown while loading is the
// same on every rank and is reported by rank 0 alone. An exception out of `body` on a rank of a
// larger world ends the job with its exit code.
int run_with_mpi(const ConfigArgument& config,
                 const std::function<int(const comm::World&, const config::Value&)>& body);

// Runs `work` on rank 0 while the others wait, and gives everybody its exit code.
int on_rank_zero(const comm::World& world, const std::function<int()>& work);

// Generates the simulated corpus that the config's `simulate` section names, if it names one. Gives
// everybody the exit code.
int prepare_corpus(const comm::World& world, const config::Value& root);

}  // namespace straq::jobs
