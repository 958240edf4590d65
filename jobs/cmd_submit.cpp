// straq submit: a config as batch jobs that wait for each other.
#include <filesystem>
#include <iostream>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/log.h"
#include "experiment/settings.h"
#include "operate/submit.h"

namespace straq::jobs {
namespace {

int submit_and_print(const ConfigArgument& config, operate::SubmitOptions options, bool dry_run,
                     const Common& common) {
  options.config = config.path;
  options.sets = config.sets;
  const std::string home = operate::find_home();
  // What a relative path means here, in the config and on the command line, it means in the jobs.
  std::error_code ec;
  const auto here = std::filesystem::current_path(ec);
  if (ec) fail_input("the current folder is not there: " + ec.message(), "change to another one");
  if (!std::filesystem::equivalent(here, home, ec)) options.folder = here.string();
  const config::Value root = config.load();
  experiment::check_settings(root, {});
  const auto plan = operate::plan_submission(root, options, operate::read_site(home));
  for (const auto& note : plan.notes) log::info("submit", "{}", note);
  std::vector<std::string> ids;
  if (!dry_run) ids = operate::submit(plan, home);
  if (common.json()) {
    nlohmann::ordered_json jobs = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
      const auto& job = plan.jobs[i];
      nlohmann::ordered_json j;
      j["job"] = job.name;
      j["id"] = dry_run ? nlohmann::ordered_json() : nlohmann::ordered_json(ids[i]);
      j["after"] =
          job.after < 0
              ? nlohmann::ordered_json()
              : nlohmann::ordered_json(plan.jobs[static_cast<std::size_t>(job.after)].name);
      j["script"] = job.script;
      j["options"] = job.options;
      j["arguments"] = job.arguments;
      jobs.push_back(std::move(j));
    }
    print_json(jobs);
  } else if (dry_run) {
    std::cout << operate::to_script(plan, home);
  } else {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::cout << plan.jobs[i].name << " " << ids[i] << "\n";
    }
  }
  return 0;
}

}  // namespace

Command make_submit(CLI::App& app, Common& common) {
  struct Options {
    ConfigArgument config;
    operate::SubmitOptions submit;
    bool array = false, allocation = false, dry_run = false;
    bool no_preprocess = false, no_report = false;
  };
  auto o = std::make_shared<Options>();
  auto* c = app.add_subcommand("submit", "Submit a config to Slurm: shards, training, report");
  auto& s = o->submit;
  o->config.add_to(*c);
  c->add_flag("--dry-run", o->dry_run, "print the commands as a script, submit nothing");
  auto* array = c->add_flag("--array", o->array, "a job array, one task a point (sweeps: default)");
  c->add_flag("--allocation", o->allocation, "a sweep in one allocation")->excludes(array);
  c->add_option("--at-once", s.at_once, "tasks of the array that run at the same time")
      ->check(CLI::Range(1, 100000000));
  c->add_flag("--no-preprocess", o->no_preprocess, "the shards are there");
  c->add_flag("--no-report", o->no_report, "no report at the end");
  c->add_option("--preprocessors", s.preprocessors, "ranks that write shards")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  c->add_option("--learners", s.learners, "learners of the job, or of each task of an array")
      ->check(CLI::Range(1, 100000));
  c->add_option("--nodes", s.nodes, "nodes of the job, or of each task of an array")
      ->check(CLI::Range(1, 100000));
  c->add_option("--gpus-per-node", s.gpus_per_node, "GPUs of each node, one a learner; 0: on CPUs")
      ->check(CLI::Range(0, 1000));
  c->add_option("--gpu", s.gpu_kind, "kind of GPU, for memory and time (as straq estimate)");
  c->add_option("--cpus-per-task", s.cpus_per_task, "cores of a rank (default: 4 with GPUs, or 1)")
      ->check(CLI::Range(1, 100000));
  c->add_option("--mem-per-cpu", s.mem_per_cpu_mb, "MB (default: from the estimate)")
      ->check(CLI::Range(1, 100000000));
  c->add_option("--time", s.time, "time limit as Slurm writes it");
  c->add_option("--account", s.account, "default: slurm/site.env");
  c->add_option("--partition", s.partition, "default: slurm/site.env");
  c->add_option("--sbatch", s.extra, "another option for every sbatch, as --sbatch=--qos=long");
  c->footer(
      "Each job waits for the one before it; the report also comes after a failure. Jobs run in\n"
      "the folder where this is called, as straq run would.\n"
      "Example: straq submit configs/sweeps/gamma_small.yaml --at-once 4 --dry-run\n"
      "         straq submit configs/paper_imit.yaml --gpus-per-node 8 --gpu h100");
  return {c, [=, &common] {
            auto options = o->submit;
            options.preprocess = !o->no_preprocess;
            options.report = !o->no_report;
            if (o->array) options.form = operate::SubmitForm::array;
            if (o->allocation) options.form = operate::SubmitForm::allocation;
            return submit_and_print(o->config, options, o->dry_run, common);
          }};
}

}  // namespace straq::jobs
