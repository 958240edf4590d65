#include "operate/submit.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/error.h"
#include "core/process.h"
#include "core/shell.h"
#include "experiment/estimate.h"
#include "experiment/sweep.h"

namespace straq::operate {
namespace fs = std::filesystem;
namespace {

std::string option(const std::string& key, const std::string& value) {
  return "--" + key + "=" + value;
}
std::string option(const std::string& key, long long value) {
  return option(key, std::to_string(value));
}

// About ESConv's train split: the corpus may not be there yet.
constexpr std::int64_t kAssumedDecisions = 12000;

// "hh:mm:ss", up to the next quarter of an hour.
std::string slurm_time(double seconds) {
  const long minutes = 15 * static_cast<long>(std::min(std::ceil(seconds / 900), 1e6));
  return fmt::format("{:02}:{:02}:00", minutes / 60, minutes % 60);
}

// What all jobs of a plan share.
std::vector<std::string> site_options(const SubmitOptions& o, const SiteSettings& site, bool gpu) {
  std::vector<std::string> out;
  const std::string account = o.account.empty() ? site.account : o.account;
  std::string partition = o.partition;
  if (partition.empty() && gpu) partition = site.gpu_partition;
  if (partition.empty()) partition = site.partition;
  if (!account.empty()) out.push_back(option("account", account));
  if (!partition.empty()) out.push_back(option("partition", partition));
  out.insert(out.end(), site.options.begin(), site.options.end());
  out.insert(out.end(), o.extra.begin(), o.extra.end());
  return out;
}

// Where a job that does not run in the repository runs, for slurm/launch.sh.
std::vector<std::string> place_arguments(const SubmitOptions& o) {
  return o.folder.empty() ? std::vector<std::string>{} : std::vector{"--in=" + o.folder};
}

std::vector<std::string> config_arguments(const SubmitOptions& o) {
  std::vector<std::string> out = place_arguments(o);
  out.push_back(o.folder.empty() ? o.config : (fs::path(o.folder) / o.config).string());
  for (const auto& s : o.sets) {
    out.emplace_back("--set");
    out.push_back(s);
  }
  return out;
}

// Memory and time of the learners, by the largest of the points.
struct Need {
  double host_bytes = 0;  // of one learner
  double seconds = 0;     // of one point; 0: not known
  std::string note;
};

Need need_of(const std::vector<results::Point>& points, const SubmitOptions& o, int group,
             bool gpu) {
  Need need;
  for (const auto& p : points) {
    const auto config = experiment::read_experiment(p.config);
    experiment::EstimateInput in;
    try {
      in = experiment::estimate_input(config, group, 0);
    } catch (const Error& e) {
      need.note = p.name + ": no estimate: " + e.what();
      continue;
    }
    const auto memory = experiment::estimate_memory(in);
    // On a GPU the host holds the weights while they are read and the copies that a checkpoint is
    // written from: master copy or weights, and both moments.
    const double host = gpu ? static_cast<double>(memory.parameters) * 16 : memory.total();
    need.host_bytes = std::max(need.host_bytes, host);
    if (!gpu || o.gpu_kind.empty()) continue;
    const auto device = experiment::device_spec(o.gpu_kind);
    if (experiment::fits(memory, device) == experiment::Fit::no) {
      need.note = fmt::format("{}: {:.1f} GiB a learner do not fit {}; {} says what would", p.name,
                              memory.total() / (1 << 30), device.name,
                              shell_join({"straq", "estimate", o.config, "--gpu", o.gpu_kind,
                                          "--learners", std::to_string(group)}));
    }
    const auto steps = static_cast<double>(experiment::run_steps(config, kAssumedDecisions));
    need.seconds = std::max(need.seconds, steps * experiment::step_seconds(in, device));
  }
  return need;
}

}  // namespace

std::string find_home() {
  std::vector<fs::path> places;
  if (const char* home = std::getenv("STRAQ_HOME")) places.emplace_back(home);
  std::error_code ec;
  if (const fs::path here = fs::current_path(ec); !ec) places.push_back(here);
  const fs::path program = fs::read_symlink("/proc/self/exe", ec);
  if (!ec) places.push_back(program.parent_path().parent_path().parent_path());
  for (const auto& place : places) {
    if (fs::exists(place / "slurm" / "launch.sh", ec)) return fs::absolute(place).string();
  }
  fail_input("slurm/launch.sh is neither here nor where this program was built",
             "run it in the repository, or set STRAQ_HOME to its folder");
}

SiteSettings read_site(const std::string& home) {
  const auto path = fs::path(home) / "slurm" / "site.env";
  if (!fs::exists(path))
    fail_input(path.string() + " is missing", "restore it from the repository");
  const auto out = run_shell("bash -euc " +
                             shell_quote("source \"$1\"; printf '%s\\n' "
                                         "\"$STRAQ_ACCOUNT\" \"$STRAQ_PARTITION\" "
                                         "\"$STRAQ_GPU_PARTITION\" "
                                         "\"$STRAQ_SBATCH_OPTIONS\"") +
                             " site " + shell_quote(path.string()));
  if (out.code != 0) fail_input(path.string() + ": bash refuses it: " + out.text);
  std::istringstream lines(out.text);
  SiteSettings site;
  std::string options, word;
  std::getline(lines, site.account);
  std::getline(lines, site.partition);
  std::getline(lines, site.gpu_partition);
  std::getline(lines, options);
  for (std::istringstream words(options); words >> word;) site.options.push_back(word);
  return site;
}

namespace {

// What the job that trains looks like.
struct Shape {
  bool sweeps = false, array = false, gpu = false;
  int nodes = 1, learners = 1, group = 1, cpus = 1;
};

Shape shape_of(const experiment::ExperimentConfig& config, const SubmitOptions& o, bool sweeps) {
  Shape s;
  s.sweeps = sweeps;
  s.array = sweeps && o.form != SubmitForm::allocation;
  s.gpu = o.gpus_per_node > 0;
  s.nodes = std::max(1, o.nodes);
  // One GPU a learner; on CPUs what the config says, else a learner a point of an array, else four.
  int learners = o.learners > 0 ? o.learners : config.roles.learners;
  if (learners == 0 && s.gpu) learners = s.nodes * o.gpus_per_node;
  if (learners == 0 && s.array) learners = std::max(1, config.roles.learners_per_group);
  if (learners == 0) learners = sweeps ? std::max(4, config.roles.learners_per_group) : 2;
  if (s.gpu && learners != s.nodes * o.gpus_per_node) {
    fail_input(fmt::format("{} learners for {} GPUs ({} nodes with {})", learners,
                           s.nodes * o.gpus_per_node, s.nodes, o.gpus_per_node),
               "one GPU a learner: set --nodes and --gpus-per-node, or roles.learners, to agree");
  }
  const int per_group = config.roles.learners_per_group;
  const int group = per_group > 0 ? per_group : learners;
  if (group > learners || learners % group != 0) {
    fail_input(
        fmt::format("roles.learners_per_group = {} does not divide {} learners", group, learners),
        "choose --learners as a multiple of it");
  }
  s.learners = learners;
  s.group = group;
  s.cpus = o.cpus_per_task > 0 ? o.cpus_per_task : s.gpu ? 4 : 1;
  return s;
}

// Tasks and what each of them gets.
void add_places(BatchJob& work, const Shape& s, const Need& need, const SubmitOptions& o,
                const experiment::ExperimentConfig& config) {
  // A lone learner coordinates itself; more need a coordinator. The shards are there by then.
  int preprocessors = o.preprocess ? 0 : config.roles.preprocessors;
  if (s.array && s.gpu) preprocessors = 0;  // as the script has it
  const int tasks = s.learners == 1 && preprocessors == 0 ? 1 : 1 + preprocessors + s.learners;
  if (s.gpu || o.nodes > 0) work.options.push_back(option("nodes", s.nodes));
  work.options.push_back(option("ntasks", tasks));
  if (s.gpu) work.options.push_back(option("gpus-per-node", o.gpus_per_node));
  work.options.push_back(option("cpus-per-task", s.cpus));
  const double task_bytes = 1.2 * need.host_bytes + (s.gpu ? 4.0 : 1.0) * (1 << 30);
  const double quarters = std::ceil(task_bytes / s.cpus / (256 << 20));
  const std::int64_t memory = o.mem_per_cpu_mb > 0
                                  ? o.mem_per_cpu_mb
                                  : 256 * static_cast<std::int64_t>(std::min(quarters, 1e12));
  // Without an estimate the site's own default is the better guess.
  if (o.mem_per_cpu_mb > 0 || need.host_bytes > 0) {
    work.options.push_back(option("mem-per-cpu", std::to_string(memory) + "M"));
  }
}

// The time limit, and the note that says where it comes from.
void add_time(SubmitPlan& plan, BatchJob& work, const Shape& s, const Need& need,
              std::size_t points, std::string time) {
  if (time.empty() && need.seconds > 0) {
    // Points of one allocation share its groups.
    const double rounds =
        s.sweeps && !s.array
            ? std::ceil(static_cast<double>(points) * s.group / static_cast<double>(s.learners))
            : 1;
    time = slurm_time(1.5 * need.seconds * rounds + 900);
    plan.notes.push_back(
        "time: 12,000 decisions at 40 % of the GPU's peak, half as much again and "
        "15 minutes; a job that needs longer is requeued");
  } else if (time.empty()) {
    plan.notes.push_back("time: that of " + work.script +
                         "; --time says otherwise, and a job that needs longer is requeued");
  }
  if (!time.empty()) work.options.push_back(option("time", time));
}

}  // namespace

SubmitPlan plan_submission(const config::Value& root, const SubmitOptions& o,
                           const SiteSettings& site) {
  const auto config = experiment::read_experiment(root);
  const bool sweeps = root.find("sweep") != nullptr;
  if (o.form == SubmitForm::array && !sweeps) {
    fail_input(o.config + ": there is no sweep section, so there is no array to submit",
               "leave --array out: one training job is submitted");
  }
  const auto points = experiment::expand_points(root);
  const Shape shape = shape_of(config, o, sweeps);

  SubmitPlan plan;
  if (o.preprocess) {
    BatchJob job{"preprocess", site_options(o, site, false), "slurm/preprocess.sbatch",
                 config_arguments(o)};
    job.options.push_back(option("ntasks", 1 + std::max(1, o.preprocessors)));
    plan.jobs.push_back(std::move(job));
  }

  const Need need = need_of(points, o, shape.group, shape.gpu);
  if (!need.note.empty()) plan.notes.push_back(need.note);
  BatchJob work{
      sweeps ? "sweep" : "train", site_options(o, site, shape.gpu), {}, config_arguments(o)};
  work.script = !sweeps ? "slurm/train" : shape.array ? "slurm/sweep_array" : "slurm/sweep";
  work.script += shape.gpu ? "_gpu.sbatch" : ".sbatch";
  if (shape.array) {
    std::string range = "0-" + std::to_string(points.size() - 1);
    if (o.at_once > 0) range += "%" + std::to_string(o.at_once);
    work.options.push_back(option("array", range));
  }
  add_places(work, shape, need, o, config);
  add_time(plan, work, shape, need, points.size(), o.time);
  if (o.preprocess) {
    work.after = 0;
    work.arguments.emplace_back("--set");
    work.arguments.emplace_back("roles.preprocessors=0");
  }
  plan.jobs.push_back(std::move(work));

  if (o.report) {
    BatchJob job{"report", site_options(o, site, false), "slurm/report.sbatch", place_arguments(o)};
    job.arguments.push_back((fs::path(o.folder) / config.results / config.name).string());
    // After a failure too: the report says what is missing.
    job.after = static_cast<int>(plan.jobs.size()) - 1;
    job.only_after_success = false;
    plan.jobs.push_back(std::move(job));
  }
  return plan;
}

namespace {

// "--dependency=afterok:" and the options beside it, for a job that waits; the id comes behind.
std::string dependency_option(const BatchJob& job) {
  return std::string("--dependency=") + (job.only_after_success ? "afterok:" : "afterany:");
}

// What follows the dependency.
std::vector<std::string> other_words(const BatchJob& job) {
  std::vector<std::string> words;
  // A job whose predecessor failed would wait for ever.
  if (job.after >= 0 && job.only_after_success) words.emplace_back("--kill-on-invalid-dep=yes");
  words.insert(words.end(), job.options.begin(), job.options.end());
  words.push_back(job.script);
  words.insert(words.end(), job.arguments.begin(), job.arguments.end());
  return words;
}

}  // namespace

std::vector<std::string> sbatch_words(const BatchJob& job, const std::string& dependency) {
  std::vector<std::string> words = {"sbatch", "--parsable"};
  if (!dependency.empty()) words.push_back(dependency_option(job) + dependency);
  const auto others = other_words(job);
  words.insert(words.end(), others.begin(), others.end());
  return words;
}

std::string to_script(const SubmitPlan& plan, const std::string& home) {
  std::string out = "cd " + shell_quote(home) + "\n";
  for (const auto& job : plan.jobs) {
    std::string line = "sbatch --parsable ";
    if (job.after >= 0) {
      const auto& before = plan.jobs.at(static_cast<std::size_t>(job.after)).name;
      line += "\"" + dependency_option(job) + "$" + before + "\" ";
    }
    out += job.name + "=$(" + line + shell_join(other_words(job)) + ")\n";
  }
  return out;
}

std::vector<std::string> submit(const SubmitPlan& plan, const std::string& home) {
  if (run_shell("command -v sbatch").code != 0) {
    fail_runtime("there is no sbatch here, so nothing was submitted",
                 "run it on a login node of the cluster; --dry-run prints the commands anywhere");
  }
  std::vector<std::string> ids;
  for (const auto& job : plan.jobs) {
    const std::string dependency =
        job.after >= 0 ? ids.at(static_cast<std::size_t>(job.after)) : std::string();
    const auto out =
        run_shell("cd " + shell_quote(home) + " && " + shell_join(sbatch_words(job, dependency)));
    // "123" or "123;cluster" on the last line; sites' plugins print before it.
    std::string text = out.text;
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    std::string id = text.substr(text.find_last_of('\n') + 1);
    id = id.substr(0, id.find(';'));
    const bool is_id = !id.empty() && id.find_first_not_of("0123456789") == std::string::npos;
    if (out.code != 0 || !is_id) {
      std::string done;
      for (const auto& earlier : ids) done += " " + earlier;
      fail_runtime("sbatch refused the job " + job.name + ": " + text,
                   ids.empty()
                       ? "account and partition come from slurm/site.env; sinfo shows what "
                         "there is"
                       : "submitted before it:" + done + "; scancel" + done + " takes them back");
    }
    ids.push_back(id);
  }
  return ids;
}

}  // namespace straq::operate
