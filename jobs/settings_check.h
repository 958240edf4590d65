// Before a job begins: settings that would change nothing are told, or refused.
#pragma once

#include "config/value.h"
#include "experiment/settings.h"
#include "mpi_job.h"

namespace straq::jobs {

// On rank 0, with everybody's exit code. `recorded`: the config came by --from.
inline int settings_are_meant(const comm::World& world, const config::Value& root, bool recorded) {
  return on_rank_zero(world, [&] {
    experiment::check_settings(root, {world.size(), recorded});
    return 0;
  });
}

}  // namespace straq::jobs
