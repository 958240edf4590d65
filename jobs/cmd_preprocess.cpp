// straq preprocess: corpora to HDF5 shards.
#include <memory>

#include "coordinate/run_job.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "settings_check.h"

namespace straq::jobs {

Command make_preprocess(CLI::App& app, Common& common) {
  auto config = std::make_shared<ConfigArgument>();
  auto* c = app.add_subcommand("preprocess", "Turn corpora into HDF5 shards, in bulk");
  add_ranks_to(*c, common.ranks);
  config->add_to(*c);
  c->footer(
      "Every rank but the first tokenises; shards that are there and valid are kept.\n"
      "Example: straq preprocess --ranks 4 configs/esconv_small.yaml");
  return {c, [=] {
            return run_with_mpi(*config, [](const comm::World& world, const config::Value& root) {
              const int settled = settings_are_meant(world, root, false);
              if (settled != 0) return settled;
              const int ready = prepare_corpus(world, root);
              if (ready != 0) return ready;
              return coordinate::run_job(world, {root, /*preprocess=*/true, /*learn=*/false});
            });
          }};
}

}  // namespace straq::jobs
