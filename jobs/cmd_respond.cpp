// straq respond: replies of every method to the decisions of corpora, from one or more responders.
#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>

#include "comm/outcome.h"
#include "comm/roles.h"
#include "comm/stop.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/log.h"
#include "core/processors.h"
#include "language/recording.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "planner/planner.h"
#include "reply_job.h"
#include "respond/respond_job.h"
#include "results/rows/provenance.h"
#include "results/run_folder.h"
#include "train/learner_group.h"
#include "train/responder_files.h"

namespace straq::jobs {
namespace {

namespace fs = std::filesystem;

struct RespondSettings {
  respond::RespondConfig job;
  std::vector<NamedSource> responders;
  int threads = 0;
  void fields(config::Fields& f) {
    job.fields(f);
    f.required("responders", responders);
    f("threads", threads, config::between(0, 1e6));
  }
};

// Q of a planner, asked by all ranks together.
std::vector<std::vector<int>> plans_of(const std::string& folder,
                                       const std::vector<respond::SplitOfCorpus>& splits,
                                       const respond::Corpora& corpora,
                                       train::LearnerGroup& ranks) {
  const auto planner = planner::Planner::open(folder);
  if (planner.card().merge_label != corpora.merge_label) {
    fail_input(folder + ": the planner was trained on turns that were merged otherwise",
               "set merge_label of the corpora to that of the planner's run");
  }
  std::vector<int> ours;  // by the planner's strategies
  for (const auto& s : planner.strategies().items()) {
    const auto found = corpora.strategies.find(s.name);
    if (!found) {
      fail_input(folder + ": the planner's strategy \"" + s.name + "\" is none of the corpora's",
                 "name the strategies file of the planner's run");
    }
    ours.push_back(*found);
  }
  std::vector<std::vector<int>> out;
  for (const auto& split : splits) {
    std::vector<prompt::Comb> combs;
    for (const auto& e : split.episodes) combs.push_back(planner.prompts().build_comb(e));
    at::Tensor q = planner::ask(planner.reading(), combs, ranks.rank(), ranks.size());
    ranks.control().allreduce_sum(q);
    auto& chosen = out.emplace_back();
    for (std::int64_t i = 0; i < q.size(0); ++i) {
      const at::Tensor row = q.select(0, i).contiguous();
      const int c =
          planner::choice({row.const_data_ptr<float>(), static_cast<std::size_t>(row.numel())});
      chosen.push_back(c < 0 ? c : ours[static_cast<std::size_t>(c)]);
    }
  }
  return out;
}

// A run's folder tells whose rows its planner's replies belong to; a planner's alone does not.
respond::PlannerToFollow planner_to_follow(const std::string& folder) {
  respond::PlannerToFollow out;
  out.method = "straq";
  out.point = fs::path(folder + "/").parent_path().filename().string();
  const results::RunFolder run(folder);
  if (!fs::exists(run.provenance())) return out;
  out.run = folder;
  const auto file = results::ProvenanceFile::read(run.provenance());
  if (file->known.reward && !file->known.reward->method.empty()) {
    out.method = file->known.reward->method;
  }
  if (file->known.seed) out.seed = std::to_string(*file->known.seed);
  return out;
}

bool holds_planner(const fs::path& folder) {
  std::error_code ec;
  return fs::exists(folder / planner::kCardName, ec) ||
         fs::exists(folder / results::kPlannerFolder / planner::kCardName, ec);
}

// An experiment's folder stands for all its runs that have a planner: the points of a sweep.
std::vector<std::string> planner_folders(const std::vector<std::string>& named) {
  std::vector<std::string> out;
  for (const auto& folder : named) {
    std::vector<std::string> inside;
    std::error_code ec;
    if (!holds_planner(folder)) {
      for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
        if (holds_planner(it->path())) inside.push_back(it->path().string());
      }
    }
    std::sort(inside.begin(), inside.end());
    // Nothing in it: opening it says what is missing.
    if (inside.empty()) inside.push_back(folder);
    out.insert(out.end(), inside.begin(), inside.end());
  }
  return out;
}

nlohmann::ordered_json about_of(const language::Source& source, const RespondSettings& s) {
  nlohmann::ordered_json out{{"model", source.name()}, {"identity", source.model()}};
  out["reply"] = config::to_json(config::dump(s.job.reply));
  nlohmann::ordered_json wordings;
  for (const auto& name : s.job.methods) {
    const std::string file = respond::method_entry(name).wording;
    wordings[file] = sha256_hex(read_file(s.job.wordings + "/" + file));
  }
  wordings["context.yaml"] = sha256_hex(read_file(s.job.wordings + "/context.yaml"));
  out["wordings_sha256"] = wordings;
  return out;
}

// A finetuned model can do what it was taught, in the words that it was taught in.
void tell_other_prompts(const NamedSource& responder, const respond::RespondConfig& job) {
  if (!responder.source.local) return;
  const std::string path = responder.source.local->model + "/" + train::kResponderCard;
  if (!fs::exists(path)) return;
  const auto card = read_json_file(path, "copy the responder's whole folder again");
  const auto told = [&](const std::string& what, const std::string& hint) {
    log::warn("respond", "responder {}: {}\n  hint: {}", responder.name, what, hint);
  };
  const std::string method = card.value("method", "");
  if (std::find(job.methods.begin(), job.methods.end(), method) == job.methods.end()) {
    told("it was finetuned for the method " + method + ", which is none of methods",
         "add it to methods");
  }
  if (method == "direct" && job.reply.choose != respond::Choosing::text) {
    told("it was finetuned to write strategy and reply, and strategies are chosen by scores",
         "set reply.choose: text");
  }
  const nlohmann::json now = config::to_json(config::dump(job.reply.context));
  if (card.contains("context") && card["context"] != now) {
    told("it was finetuned with another reply.context", "set reply.context to that of " + path);
  }
}

Table written_table(const std::vector<respond::RespondJob::Written>& files) {
  Table table{"replies", "Replies", {"file", "rows", "failed", "with unread parts"}, {}, {}};
  for (const auto& f : files) {
    table.add({Cell(f.path), Cell(f.rows), Cell(f.failed), Cell(f.unread)});
  }
  table.notes.emplace_back(
      "unread: a part of an answer (strategy, reply, label, emotion, stage, check) that no rule "
      "could "
      "read; <name>.json counts them by part. Nothing is asked again for that.");
  return table;
}

class RespondRun {
 public:
  RespondRun(const comm::World& world, const RespondSettings& settings, bool collect)
      : world_(world),
        settings_(settings),
        collect_(collect),
        ranks_(world.comm(), comm::find_node_place(world.comm(), true)) {}

  int go(const Common& common) {
    comm::agreed(world_.comm(), [&] {
      check_names(settings_.responders, "responders");
      std::vector<respond::PlannerToFollow> planners;
      for (const auto& folder : planner_folders(settings_.job.planners)) {
        auto planner = planner_to_follow(folder);
        planner.choose = [this, folder](const auto& splits) {
          return plans_of(folder, splits, job_->corpora(), ranks_);
        };
        planners.push_back(std::move(planner));
      }
      job_ = std::make_unique<respond::RespondJob>(settings_.job, std::move(planners));
    });
    at::set_num_threads(compute_threads(settings_.threads, ranks_.node().sharers));
    job_->plan();
    if (world_.rank() == 0) {
      log::info("respond", "{} decisions, {} replies from each of {} responders", job_->decisions(),
                job_->scenes(), settings_.responders.size());
    }
    int code = 0;
    for (const auto& responder : settings_.responders) {
      code = std::max(code, one(responder));
      if (code == static_cast<int>(ErrorKind::stopped)) return code;
    }
    return on_rank_zero(world_, [&] {
      print_tables(common, {written_table(files_)});
      return code;
    });
  }

 private:
  int one(const NamedSource& responder) {
    const std::string experiment = settings_.job.results + "/" + settings_.job.name;
    const std::string record =
        responder.source.record.empty() ? experiment + "/record" : responder.source.record;
    std::unique_ptr<language::Source> source;
    comm::agreed(world_.comm(), [&] {
      source = open_recorded(responder.source, record);
      if (world_.rank() == 0) tell_other_prompts(responder, settings_.job);
    });
    const bool done =
        collect_ || ask_on_all(world_, [&] {
          ProgressLine line("respond");
          return job_->ask(
              *source, world_.rank(), world_.size(), [&](auto over, auto all) { line(over, all); },
              [] { return comm::stop_requested(); });
        });
    if (!done) {
      if (world_.rank() == 0) {
        log::info("respond", "stopped; the same command goes on from {}", record);
      }
      return static_cast<int>(ErrorKind::stopped);
    }
    return on_rank_zero(world_, [&] {
      const results::RunFolder run(experiment + "/" + responder.name);
      begin_reply_folder(run, config::to_yaml(config::dump(settings_)), world_);
      make_folders(record);
      language::Replay replay(record, source->model());
      std::int64_t failed = 0;
      for (auto& file : job_->write(replay, {responder.name, run.path()},
                                    about_of(*source, settings_), collect_)) {
        if (file.failed > 0) {
          log::warn("respond", "{}: {} of {} failed; the first: {}", file.path, file.failed,
                    file.rows, file.first_error);
        }
        failed += file.failed;
        files_.push_back(std::move(file));
      }
      run.finish();
      return failed > 0 ? 1 : 0;
    });
  }

  const comm::World& world_;
  RespondSettings settings_;
  bool collect_;
  train::LearnerGroup ranks_;
  std::unique_ptr<respond::RespondJob> job_;
  std::vector<respond::RespondJob::Written> files_;  // on rank 0
};

}  // namespace

Command make_respond(CLI::App& app, Common& common) {
  auto config = std::make_shared<ConfigArgument>();
  auto collect = std::make_shared<bool>(false);
  auto* c = app.add_subcommand("respond", "Replies of every method to the decisions of corpora");
  add_ranks_to(*c, common.ranks);
  config->add_to(*c);
  c->add_flag("--collect", *collect,
              "ask nothing; write the rows that the replies so far are enough for");
  c->footer(
      "Every reply is kept in a record as it comes: the same command goes on, also with another "
      "number of ranks.\nThe exit code is 1 where a request failed; run it again to try those.\n"
      "Example: straq respond --ranks 2 configs/replies_small.yaml");
  return {c, [=, &common] {
            return run_with_mpi(*config, [&](const comm::World& world, const config::Value& root) {
              RespondSettings settings;
              comm::agreed(world.comm(), [&] { settings = config::read<RespondSettings>(root); });
              return RespondRun(world, settings, *collect).go(common);
            });
          }};
}

}  // namespace straq::jobs
