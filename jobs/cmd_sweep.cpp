// straq sweep: the points of a sweep, all in one MPI job or some of them in each of many; what they
// are and where they stand.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "comm/stop.h"
#include "coordinate/run_job.h"
#include "core/error.h"
#include "dialogue/data_config.h"
#include "experiment/estimate.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "results/sweep_state.h"
#include "settings_check.h"

namespace straq::jobs {
namespace {

struct SweepOptions {
  ConfigArgument config;
  int point = -1;
  std::string points;
  bool list = false, status = false, retry_failed = false;
  JobOptions hang;
};

void require_sweep(const std::string& path, const config::Value& root) {
  if (root.find("sweep") != nullptr) return;
  fail_input(path + ": there is no sweep section", "add sweep.grid, or use `straq run`");
}

// The points that --point and --points name; nothing: all.
std::optional<std::vector<std::size_t>> chosen(const SweepOptions& o, std::size_t count) {
  if (!o.points.empty()) return experiment::parse_indices(o.points, count, "--points");
  if (o.point >= 0) return experiment::parse_indices(std::to_string(o.point), count, "--point");
  return std::nullopt;
}

int print_status(const SweepOptions& o, const Common& common) {
  const config::Value root = o.config.load();
  require_sweep(o.config.path, root);
  const auto experiment = experiment::read_experiment(root);
  const auto folder = (std::filesystem::path(experiment.results) / experiment.name).string();
  auto points = results::sweep_status(folder, experiment::expand_points(root));
  if (const auto only = chosen(o, points.size())) {
    std::erase_if(points, [&](const auto& p) {
      return !std::binary_search(only->begin(), only->end(), p.index);
    });
  }
  if (common.json()) {
    print_json(results::status_json(folder, points));
  } else {
    Table table = results::status_table(points);
    table.title = folder;
    print_tables(common, {table});
  }
  return 0;
}

// Of the train split; nothing where the corpus is not there (yet).
std::optional<experiment::EpochSize> measure_train(const dialogue::DataConfig& data) {
  try {
    const auto splits = dialogue::load_splits(data);
    const auto* train = splits.find("train");
    if (train == nullptr) return std::nullopt;
    return experiment::measure_epoch(train->episodes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

constexpr std::int64_t kAssumedDecisions = 12000;

int print_list(const SweepOptions& o, const Common& common) {
  const config::Value root = o.config.load();
  require_sweep(o.config.path, root);
  experiment::check_settings(root, {});
  const auto points = experiment::expand_points(root);
  const auto only = chosen(o, points.size());
  std::map<std::string, std::optional<experiment::EpochSize>> counted;  // by data section
  bool assumed = false, unknown = false;
  Table t;
  t.id = "points";
  t.title = "Points";
  t.columns = {"#", "Point"};
  for (const auto& [key, value] : points.front().parameters) t.columns.push_back(key);
  t.columns.emplace_back("Steps");
  t.columns.emplace_back("Cost TFLOP");
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto config = experiment::read_experiment(points[i].config);
    if (only && !std::binary_search(only->begin(), only->end(), i)) continue;
    const auto [at, fresh] = counted.try_emplace(config::to_yaml(config::dump(config.data)));
    if (fresh) at->second = measure_train(config.data);
    assumed = assumed || !at->second;
    const auto epoch = at->second.value_or(experiment::EpochSize{kAssumedDecisions, 0});
    std::vector<Cell> row = {i, points[i].name};
    for (const auto& [key, value] : points[i].parameters) row.emplace_back(value);
    row.emplace_back(static_cast<long>(experiment::run_steps(config, epoch)));
    try {
      row.push_back(Cell::real(experiment::run_flops(config, epoch) / 1e12, 1));
    } catch (const Error&) {
      row.push_back(Cell::missing());
      unknown = true;
    }
    t.add(std::move(row));
  }
  t.notes.emplace_back(
      "Cost: estimated operations of training, for dialogues as long as ESConv's. Points are begun "
      "in the order of their cost, the largest first.");
  if (assumed) {
    t.notes.push_back("The train split is not there yet; " + std::to_string(kAssumedDecisions) +
                      " decisions were assumed.");
  }
  if (unknown) t.notes.emplace_back("–: the model's folder or shape is not there.");
  print_tables(common, {t});
  return 0;
}

}  // namespace

Command make_sweep(CLI::App& app, Common& common) {
  auto o = std::make_shared<SweepOptions>();
  auto* c = app.add_subcommand("sweep", "Train the points of a sweep, in one job or in many");
  add_ranks_to(*c, common.ranks);
  o->config.add_to(*c);
  auto* point = c->add_option("--point", o->point, "only this one, by its index: for a job array")
                    ->check(CLI::NonNegativeNumber);
  c->add_option("--points", o->points, "only these, by index, as in 0,4-7")->excludes(point);
  auto* list = c->add_flag("--list", o->list, "print the points and their costs; run nothing");
  c->add_flag("--status", o->status, "print where every point stands; run nothing")->excludes(list);
  c->add_flag("--retry-failed", o->retry_failed, "try again what has failed before");
  o->hang.add_to(*c);
  c->footer(
      "Points that are done are skipped, points that another job works on are left to it, and a "
      "failed point does not stop the others.\n"
      "Example: straq sweep --ranks 4 configs/sweeps/gamma_small.yaml\n"
      "         straq sweep configs/sweeps/gamma_small.yaml --status\n"
      "         srun straq sweep configs/sweeps/gamma_small.yaml --point $SLURM_ARRAY_TASK_ID");
  return {c, [=, &common] {
            if (o->list || o->status) comm::leave_stop_to_the_system();
            if (o->list) return print_list(*o, common);
            if (o->status) return print_status(*o, common);
            return run_with_mpi(o->config,
                                [&](const comm::World& world, const config::Value& root) {
                                  coordinate::JobPlan plan{root};
                                  plan.sweep = true;
                                  plan.retry_failed = o->retry_failed;
                                  o->hang.apply(plan);
                                  const int code = on_rank_zero(world, [&] {
                                    require_sweep(o->config.path, root);
                                    plan.only = chosen(*o, experiment::expand_points(root).size());
                                    return 0;
                                  });
                                  if (code != 0) return code;
                                  const int settled = settings_are_meant(world, root, false);
                                  if (settled != 0) return settled;
                                  const int ready = prepare_corpus(world, root);
                                  return ready != 0 ? ready : coordinate::run_job(world, plan);
                                });
          }};
}

}  // namespace straq::jobs
