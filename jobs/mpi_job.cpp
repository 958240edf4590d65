#include "mpi_job.h"

#include <mpi.h>

#include "comm/communicator.h"
#include "coordinate/experiment.h"
#include "core/error.h"
#include "core/log.h"
#include "simulate/corpus.h"

namespace straq::jobs {
namespace {

// Reports and gives the exit code of whatever `f` throws.
template <class F>
int guarded(F&& f, bool report) {
  try {
    return f();
  } catch (const Error& e) {
    if (report) log::error("straq", "{}", e.full());
    return e.exit_code();
  } catch (const std::exception& e) {
    if (report) log::error("straq", "unexpected failure: {}", e.what());
    return static_cast<int>(ErrorKind::failure);
  }
}

}  // namespace

void HangOptions::add_to(CLI::App& app) {
  auto* option =
      app.add_option("--hang-rank", rank, "this rank stops before a step and waits for a debugger")
          ->check(CLI::NonNegativeNumber);
  app.add_option("--hang-step", step, "the step before which it stops (default: the first)")
      ->check(CLI::NonNegativeNumber)
      ->needs(option);
}

void HangOptions::apply(coordinate::JobPlan& plan) const {
  plan.hang_rank = rank;
  plan.hang_step = step;
}

int run_with_mpi(const ConfigArgument& argument,
                 const std::function<int(const comm::World&, const config::Value&)>& body) {
  const comm::World world(nullptr, nullptr);
  config::Value root;
  int code = guarded([&] { return root = argument.load(), 0; }, world.rank() == 0);
  if (code != 0) return code;
  bool failed = true;
  code = guarded(
      [&] {
        const int rc = body(world, root);
        failed = false;
        return rc;
      },
      true);
  // Others may wait for this rank in a collective: without this they would wait for ever.
  if (failed && world.size() > 1) comm::World::abort(code);
  return code;
}

int on_rank_zero(const comm::World& world, const std::function<int()>& work) {
  int code = world.rank() == 0 ? guarded(work, true) : 0;
  MPI_Request request;
  MPI_Ibcast(&code, 1, MPI_INT, 0, world.comm(), &request);
  comm::wait_softly(request);
  return code;
}

int prepare_corpus(const comm::World& world, const config::Value& root) {
  return on_rank_zero(world, [&] {
    const auto section = coordinate::read_experiment(root).simulate;
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
