// `straq submit`: the batch jobs that a config needs, as command lines of sbatch. Preprocessing
// comes first, then training or the sweep, then the report; each waits for the one before it. What
// to ask for follows from the config and its estimate; every number can be given instead.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value.h"
#include "experiment/experiment.h"

namespace straq::operate {

// slurm/site.env as bash reads it.
struct SiteSettings {
  std::string account, partition, gpu_partition;
  std::vector<std::string> options;  // for every sbatch
};
// Throws Error(input) when `home` is not the repository, with what bash said where it is.
SiteSettings read_site(const std::string& home);
// The repository: $STRAQ_HOME, the current folder, or where this program was built. Throws
// Error(input) when none of them holds slurm/launch.sh.
std::string find_home();

enum class SubmitForm { automatic, array, allocation };
struct SubmitOptions {
  std::string config;             // as given on the command line
  std::vector<std::string> sets;  // --set assignments, handed on
  // Absolute: where the jobs run, for relative paths mean places below it. Empty: the repository.
  std::string folder;
  SubmitForm form = SubmitForm::automatic;
  int at_once = 0;        // tasks of an array that run at the same time; 0: no limit
  int preprocessors = 4;  // ranks of the preprocessing job beside its coordinator
  bool preprocess = true, report = true;
  int learners = 0;        // 0: the config's, a GPU each, or what the points ask for
  int nodes = 0;           // 0: as many as the GPUs need, else Slurm's choice
  int gpus_per_node = 0;   // 0: on CPUs
  int cpus_per_task = 0;   // 0: 4 with GPUs, else 1
  std::string gpu_kind;    // for memory and time, as `straq estimate --gpu`
  std::string time;        // of the training job or of each task; empty: estimated, or the script's
  int mem_per_cpu_mb = 0;  // 0: estimated
  std::string account, partition;  // over the site's
  std::vector<std::string> extra;  // more options for every sbatch
};

struct BatchJob {
  std::string name;                  // "preprocess", "train", "sweep", "report": a shell variable
  std::vector<std::string> options;  // of sbatch, without --dependency
  std::string script;                // "slurm/train.sbatch"
  std::vector<std::string> arguments;
  int after = -1;                  // index of the job that it waits for
  bool only_after_success = true;  // afterok, else afterany
};

struct SubmitPlan {
  std::vector<BatchJob> jobs;
  std::vector<std::string> notes;  // what a person should know: how numbers came about, doubts
};

// Pure but for reading the config's shape. Throws Error(input) for options that contradict the
// config: GPUs that do not divide among nodes, an array without a sweep.
SubmitPlan plan_submission(const config::Value& root, const SubmitOptions& options,
                           const SiteSettings& site);

// The words of one job's command; `dependency` is a job id, empty without.
std::vector<std::string> sbatch_words(const BatchJob& job, const std::string& dependency);
// The plan as a bash script: what --dry-run prints. Every word is quoted; a job's id stands in a
// variable of the script.
std::string to_script(const SubmitPlan& plan, const std::string& home);

// Submits in order and returns the job ids. Runs sbatch in `home`. Throws Error(failure) when there
// is no sbatch, or with what it said when it refuses; jobs submitted until then are named.
std::vector<std::string> submit(const SubmitPlan& plan, const std::string& home);

}  // namespace straq::operate
