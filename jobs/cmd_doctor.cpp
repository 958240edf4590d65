// straq doctor: is this allocation fit for a run?
#include <iostream>
#include <memory>

#include "launch_ranks.h"
#include "mpi_job.h"
#include "operate/doctor.h"
#include "report/figures/gnuplot.h"

namespace straq::jobs {

Command make_doctor(CLI::App& app, Common& common) {
  auto options = std::make_shared<operate::DoctorOptions>();
  auto* c = app.add_subcommand(
      "doctor", "Check ranks, bindings, all-reduce, results filesystem and libraries here");
  add_ranks_to(*c, common.ranks);
  c->add_option("--results", options->results, "the folder that results would go to")
      ->capture_default_str();
  c->add_option("--need-gb", options->need_gigabytes, "free disk space that is wanted")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->footer(
      "Exit code 1 when a check FAILED, else 0. Alone or on all ranks of a job:\n"
      "Example: straq doctor --ranks 4 --results results\n"
      "         sbatch --nodes=2 --ntasks=8 slurm/doctor.sbatch");
  return {c, [=, &common] {
            return run_with_mpi({}, [&](const comm::World& world, const config::Value&) {
              auto report = operate::run_doctor(world, *options);
              return on_rank_zero(world, [&] {
                using operate::Verdict;
                const auto gnuplot = report::gnuplot_version("gnuplot");
                report.checks.push_back(
                    gnuplot ? operate::Check{"gnuplot", Verdict::ok, *gnuplot, {}}
                            : operate::Check{"gnuplot", Verdict::warning,
                                             "not found: reports come without figures",
                                             "install gnuplot-nox, or report elsewhere"});
                if (common.json()) {
                  print_json(report.to_json());
                } else {
                  std::cout << report.to_text();
                }
                return report.verdict() == Verdict::failed ? 1 : 0;
              });
            });
          }};
}

}  // namespace straq::jobs
