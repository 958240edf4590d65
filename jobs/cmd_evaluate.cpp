// straq evaluate: a finished run's planner on its splits, again.
#include <memory>

#include "launch_ranks.h"
#include "mpi_job.h"
#include "report/tables/tables.h"
#include "train/point_runner.h"

namespace straq::jobs {

Command make_evaluate(CLI::App& app, Common& common) {
  struct Options {
    std::vector<std::string> runs, splits;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("evaluate", "Strategy metrics of finished runs on their splits");
  add_ranks_to(*c, common.ranks);
  c->add_option("runs", o->runs, "run folders, results/<experiment>/<point>")->required();
  c->add_option("--splits", o->splits, "splits to evaluate; default: those of the run's config");
  c->footer("Example: straq evaluate results/quickstart/seed-1 --splits test");
  return {c, [=, &common] {
            return run_with_mpi({}, [&](const comm::World& world, const config::Value&) {
              train::LearnerGroup learners(world.comm(), comm::find_node_place(world.comm(), true));
              for (const auto& run : o->runs) train::evaluate_run(run, o->splits, learners);
              return on_rank_zero(world, [&] {
                std::vector<Table> tables;
                for (const auto& run : o->runs) {
                  for (auto& t : report::results_tables(results::read_results(run))) {
                    tables.push_back(std::move(t));
                  }
                }
                print_tables(common, tables);
                return 0;
              });
            });
          }};
}

}  // namespace straq::jobs
