// straq train: one planner from shards that are there.
#include <memory>

#include "coordinate/run_job.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "settings_check.h"

namespace straq::jobs {

Command make_train(CLI::App& app, Common& common) {
  auto config = std::make_shared<ConfigArgument>();
  auto* c = app.add_subcommand("train", "Train and evaluate one planner on preprocessed shards");
  add_ranks_to(*c, common.ranks);
  config->add_with_from_to(*c);
  auto hang = std::make_shared<JobOptions>();
  hang->add_to(*c);
  c->footer(
      "A sweep section of the config is left out: one point is trained.\n"
      "Example: straq train --ranks 3 configs/esconv_small.yaml --set learn.gamma=0.9");
  return {c, [=] {
            return run_with_mpi(*config, [&](const comm::World& world, const config::Value& root) {
              config::Value one = root;
              std::erase_if(one.map, [](const auto& kv) { return kv.first == "sweep"; });
              const int settled = settings_are_meant(world, one, config->recorded());
              if (settled != 0) return settled;
              coordinate::JobPlan plan{one, /*preprocess=*/false, /*learn=*/true};
              hang->apply(plan);
              return coordinate::run_job(world, plan);
            });
          }};
}

}  // namespace straq::jobs
