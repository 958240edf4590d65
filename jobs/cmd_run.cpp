// straq run: the whole pipeline in one go: corpus, shards, training, evaluation, report.
#include <filesystem>
#include <memory>

#include "comm/fault.h"
#include "comm/stop.h"
#include "coordinate/run_job.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "settings_check.h"

namespace straq::jobs {

Command make_run(CLI::App& app, Common& common) {
  auto config = std::make_shared<ConfigArgument>();
  auto* c = app.add_subcommand("run", "The whole pipeline: shards, training, evaluation, report");
  add_ranks_to(*c, common.ranks);
  config->add_with_from_to(*c);
  auto hang = std::make_shared<JobOptions>();
  hang->add_to(*c);
  c->footer(
      "Ends with the result table and the path of the HTML report.\n"
      "Stopped by Ctrl-C, SIGTERM, SIGUSR2 or SIGHUP it saves and ends with exit code 75; the same "
      "command goes on. A second Ctrl-C ends at once.\n"
      "Example: straq run --ranks 4 configs/quickstart.yaml\n"
      "         straq run --from results/quickstart/seed-1");
  return {c, [=, &common] {
            return run_with_mpi(*config, [&](const comm::World& world, const config::Value& root) {
              int code = settings_are_meant(world, root, config->recorded());
              if (code == 0) code = prepare_corpus(world, root);
              coordinate::JobPlan plan{root};
              hang->apply(plan);
              if (code == 0) code = coordinate::run_job(world, plan);
              if (code != 0) return code;
              return on_rank_zero(world, [&] {
                const comm::NothingToSave reporting;  // again by the same command
                comm::fault_point("reporting");
                const auto experiment = experiment::read_experiment(root);
                const auto folder = std::filesystem::path(experiment.results) / experiment.name;
                return report_and_print(common, folder.string(), {});
              });
            });
          }};
}

}  // namespace straq::jobs
