// straq sweep: every point of a grid in one MPI job.
#include <memory>

#include "coordinate/coordinator.h"
#include "core/error.h"
#include "mpi_job.h"

namespace straq::jobs {

Command make_sweep(CLI::App& app, Common&) {
  auto config = std::make_shared<ConfigArgument>();
  auto* c = app.add_subcommand("sweep", "Train every point of a grid (grid x seeds) in one job");
  config->add_to(*c);
  c->footer(
      "Points that are done are skipped; a failed point does not stop the others.\n"
      "Example: mpirun -n 4 straq sweep configs/sweeps/gamma_small.yaml");
  return {c, [=] {
            return run_with_mpi(*config, [&](const comm::World& world, const config::Value& root) {
              const int has_grid = on_rank_zero(world, [&] {
                if (root.find("sweep") == nullptr) {
                  fail_input(config->path + ": there is no sweep section",
                             "add sweep.grid, or use `straq run`");
                }
                return 0;
              });
              if (has_grid != 0) return has_grid;
              const int ready = prepare_corpus(world, root);
              return ready != 0 ? ready : coordinate::run_job(world, {root, true, true});
            });
          }};
}

}  // namespace straq::jobs
