#include "mpi_job.h"

#include <mpi.h>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/fault.h"
#include "comm/outcome.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"
#include "experiment/experiment.h"
#include "simulate/corpus.h"
#include "train/shared_outcome.h"

namespace straq::jobs {
namespace {

int tell(const Error& e) {
  log::error("straq", "{}", e.full());
  return e.exit_code();
}

}  // namespace

void JobOptions::add_to(CLI::App& app) {
  auto* option =
      app.add_option("--hang-rank", rank, "this rank stops before a step and waits for a debugger")
          ->check(CLI::NonNegativeNumber);
  app.add_option("--hang-step", step, "the step before which it stops (default: the first)")
      ->check(CLI::NonNegativeNumber)
      ->needs(option);
  app.add_flag("--continue-anyway", continue_anyway,
               "go on from checkpoints, and take finished runs, whose inputs (corpus, tokenizer, "
               "prompt, model, settings) have changed since; provenance.json says so");
}

void JobOptions::apply(coordinate::JobPlan& plan) const {
  plan.continue_anyway = continue_anyway;
  plan.hang_rank = rank;
  plan.hang_step = step;
}

int run_with_mpi(const ConfigArgument& argument,
                 const std::function<int(const comm::World&, const config::Value&)>& body) {
  const comm::World world(nullptr, nullptr);
  const comm::ProcessWatch watch(world.comm());
  comm::enter_phase("reading the config", comm::Patience::phase);
  try {
    config::Value root;
    comm::agreed(world.comm(), [&] {
      comm::fault_point("reading the config");
      root = argument.load();
    });
    comm::require_same(world.comm(), config::to_yaml(root), "config",
                       "start all ranks in the same folder on a shared filesystem, with the same "
                       "environment (mpirun -x NAME passes a variable on)");
    return body(world, root);
  } catch (const comm::SharedError& e) {
    return world.rank() == 0 ? tell(e) : e.exit_code();
  } catch (const train::SharedFailure& e) {
    return world.rank() == 0 ? tell(e) : e.exit_code();
  } catch (const std::exception& e) {
    const int code = tell(comm::as_error(e));
    // Others may wait for this rank in a collective: without this they would wait for ever.
    if (world.size() > 1) comm::World::abort(code);
    return code;
  }
}

int on_rank_zero(const comm::World& world, const std::function<int()>& work) {
  int code = 0;
  comm::enter_phase("working on rank 0", comm::Patience::phase);
  comm::agreed(
      world.comm(),
      [&] {
        if (world.rank() == 0) code = work();
      },
      /*only_root=*/true);
  MPI_Request request;
  MPI_Ibcast(&code, 1, MPI_INT, 0, world.comm(), &request);
  comm::wait_softly(request);
  return code;
}

int prepare_corpus(const comm::World& world, const config::Value& root) {
  return on_rank_zero(world, [&] {
    comm::fault_point("simulating the corpus");
    const auto section = experiment::read_experiment(root).simulate;
    if (section.config.empty()) return 0;
    if (section.folder.empty()) {
      fail_input("simulate.folder is missing", "name the folder that the corpus goes to");
    }
    const auto config = config::read<simulate::SimulateConfig>(config::load_config(section.config));
    // Always generated anew: it takes a moment and the same config gives the same bytes.
    const auto report = simulate::write_corpus(config, section.folder);
    for (const auto& s : report.splits) {
      log::info("simulate", "{}/{}.txt: {} dialogues, {} decisions", section.folder, s.split,
                s.dialogues, s.decisions);
    }
    return 0;
  });
}

}  // namespace straq::jobs
