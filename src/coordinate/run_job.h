// A job on a world of ranks: who does what, and everybody's part.
#pragma once

#include "comm/world.h"
#include "coordinate/job_progress.h"

namespace straq::coordinate {

// Plans the roles, runs this rank's, returns the job's exit code on every rank. Throws
// comm::SharedError, on every rank, for settings that a rank cannot read or that ask for roles
// which the world has no room for.
int run_job(const comm::World& world, const JobPlan& plan);

}  // namespace straq::coordinate
