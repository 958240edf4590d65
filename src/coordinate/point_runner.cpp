#include "coordinate/point_runner.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <optional>

#include "comm/activity.h"
#include "config/value.h"
#include "coordinate/evaluate.h"
#include "coordinate/provenance.h"
#include "coordinate/run_lock.h"
#include "coordinate/sweep_state.h"
#include "coordinate/together.h"
#include "coordinate/trainer.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/log.h"
#include "kernel/processor.h"
#include "learn/learner.h"
#include "model/huggingface.h"
#include "shard/dataset.h"

namespace straq::coordinate {
namespace {

at::ScalarType dtype_of(const ModelConfig& config) {
  switch (config.precision) {
    case Precision::fp64:
      return at::kDouble;
    case Precision::bf16:
      return at::kBFloat16;
    case Precision::fp32:
      break;
  }
  return at::kFloat;
}

struct Planner {
  std::unique_ptr<model::Llama> network;
  at::Tensor master;  // fp32 weights that the network's were rounded from; undefined: none were
};

// `training`: the weights' full precision matters, and gradients are needed.
Planner make_model(const ExperimentConfig& config, std::int64_t vocab, at::Device device,
                   bool training) {
  const at::ScalarType dtype = dtype_of(config.model);
  std::unique_ptr<model::Llama> out;
  Planner planner;
  // Of weights that are rounded, those in fp32 come first, on the host.
  const bool rounds =
      training && learn::keeps_master(dtype) &&
      (config.model.from.empty() ||
       model::read_huggingface_config(config.model.from).dtype.value_or(at::kFloat) != dtype);
  const at::ScalarType first = rounds ? at::kFloat : dtype;
  const at::Device place = rounds ? at::Device(at::kCPU) : device;
  if (!config.model.from.empty()) {
    out.reset(new model::Llama(
        model::load_huggingface(config.model.from, first, place, training && !rounds)));
    if (out->shape().vocab < vocab) {
      fail_input("model.from: " + config.model.from + " knows " +
                     std::to_string(out->shape().vocab) + " tokens, but the tokenizer has " +
                     std::to_string(vocab),
                 "use the model's own tokenizer in tokenizer.path");
    }
  } else {
    auto shape = config::read<model::LlamaShape>(config::load_config(config.model.shape));
    if (shape.vocab == 0) shape.vocab = vocab;
    if (shape.vocab < vocab) {
      fail_input(config.model.shape + ": vocab is " + std::to_string(shape.vocab) +
                     ", but the tokenizer has " + std::to_string(vocab) + " tokens",
                 "set vocab to 0 to take the tokenizer's");
    }
    out = std::make_unique<model::Llama>(shape, first, place, training && !rounds);
    out->initialise(static_cast<std::uint64_t>(config.seed));
  }
  if (rounds) {
    planner.master = out->parameters().flat();
    auto narrow = std::make_unique<model::Llama>(out->shape(), dtype, device, true);
    narrow->parameters().copy_from(out->parameters());
    out = std::move(narrow);
  }
  out->set_recompute(config.model.recompute);
  if (out->shape().max_positions < config.prompt.window) {
    fail_input("prompt.window is " + std::to_string(config.prompt.window) +
                   ", but the model ends at " + std::to_string(out->shape().max_positions) +
                   " positions",
               "lower prompt.window or raise max_positions in the model's shape");
  }
  planner.network = std::move(out);
  return planner;
}

class PointRun {
 public:
  PointRun(const PointTask& task, LearnerGroup& learners, Director& director,
           const comm::Layout& layout)
      : task_(task),
        learners_(learners),
        group_(&learners.control()),
        director_(director),
        layout_(layout),
        folder_(task.run_folder) {}

  enum class Outcome { trained, done_before, failed_before, busy };
  Outcome run() {
    const Outcome found = take_folder();
    if (found != Outcome::trained) return found;
    comm::enter_phase("loading", comm::Patience::phase);
    prepare();
    const auto checkpoint = find_start();
    Trainer trainer({task_.name, config_, dataset_, folder_, identity_, *learner_, *group_,
                     director_, layout_, lock_ ? &*lock_ : nullptr});
    total_steps_ = trainer.total_steps();
    // From the start on, so that a run that never ends well can say what it was.
    together(*group_, [&] { write_provenance(dataset_, /*finished=*/false); });
    trainer.run(checkpoint);
    director_.await_dataset();
    comm::enter_phase("evaluating and writing the planner", comm::Patience::phase);
    if (config_.best.use) trainer.load_best();
    finish();
    return Outcome::trained;
  }
  // Why nothing was done: who holds the folder, or how the attempt before failed.
  const FailureNote& obstacle() const { return obstacle_; }
  // This learner may write into the folder: it is this run's, and no other job holds it.
  bool holds_folder() const { return lock_ && !lock_->lost() && !foreign_; }

 private:
  bool leader() const { return group_->rank() == 0; }

  // `trained` stands for: go ahead.
  Outcome take_folder() {
    Outcome found = Outcome::trained;
    together(*group_, [&] {
      if (!leader()) return;
      try {
        lock_.emplace(folder_.path());
      } catch (const FolderBusy& e) {
        found = Outcome::busy;
        obstacle_.reason = e.full();
        return;
      }
      // Looked at under the lock: another job may have been here since this one began.
      if (folder_.done_with(task_.config)) {
        found = Outcome::done_before;
      } else if (const auto failure = failure_of(folder_.path()); failure && !task_.retry) {
        found = Outcome::failed_before;
        obstacle_ = *failure;
      }
    });
    return static_cast<Outcome>(
        static_cast<int>(group_->allreduce_max(static_cast<double>(static_cast<int>(found)))));
  }

  void prepare() {
    at::Device device = at::kCPU;
    together(*group_, [&] {
      config_ = read_experiment(task_.config);
      device = device_of(config_.model, learners_.node());
      at::set_num_threads(learner_threads(config_.threads, learners_.node().count));
      dataset_ = open_shards(splits_to_train(config_));
    });
    group_ = &learners_.tensors(config_.learn.collectives, device);
    chooses_micro_tokens_ = config_.learn.micro_tokens == 0;
    settle_micro_tokens(config_, dataset_.vocab_size(), dataset_.split("train"), learners_, device);
    together(*group_, [&] { make_learner(device); });
  }

  // Empty: all splits.
  shard::DatasetView open_shards(const std::vector<std::string>& splits = {}) const {
    try {
      return shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}, splits);
    } catch (const Error& e) {
      throw PointFailure(FailureKind::bad_shard, e);
    }
  }

  void make_learner(at::Device device) {
    const auto& train = dataset_.split("train");
    // A dialogue without decisions still has text for the language-model objective.
    const std::int64_t decisions = dataset_.decision_count("train");
    if (decisions == 0)
      fail_input("the train split of " + task_.shard_folder + " has no decisions");
    if (group_->rank() == 0 && device.is_cpu() && config_.model.precision == Precision::bf16 &&
        !kernel::has_bf16_tiles()) {
      log::warn("learn",
                "model.precision: bf16 halves the memory of the weights, but this processor has no "
                "tiles for it (AMX): it multiplies in fp32 and is no faster for it");
    }
    Planner planner = make_model(config_, dataset_.vocab_size(), device, /*training=*/true);
    const auto& online = planner.network;
    std::vector<std::int64_t> ids(dataset_.option_ids().begin(), dataset_.option_ids().end());
    parameters_ = online->parameters().size();
    identity_ = {sha256_hex(config::to_yaml(without_placement(task_.config))),
                 learn::parameters_fingerprint(online->parameters().specs())};
    learner_.reset(new learn::Learner(std::move(planner.network), train, ids, config_.q.readout,
                                      config_.learn, *group_, std::move(planner.master)));
    if (leader()) {
      log::info("learn", "{}: {} parameters, {} train decisions, {} thread{} a learner", task_.name,
                parameters_, decisions, at::get_num_threads(),
                at::get_num_threads() == 1 ? "" : "s");
    }
  }

  // The checkpoint to go on from, if any: the leader finds it and checks every byte, the others
  // hear its step. The folder is made ready for the run.
  std::optional<learn::Checkpoint> find_start() {
    const at::Tensor step = at::full({1}, -1, at::kLong);
    together(*group_, [&] {
      if (!leader()) return;
      const std::string folder = folder_.checkpoints();
      learn::clear_partial_checkpoints(folder);
      const auto found = learn::find_checkpoint(folder, identity_);
      for (const auto& refused : found.refused) {
        log::warn("checkpoint", "{}", refused.reason);
      }
      if (found.checkpoint) {
        step.fill_(found.checkpoint->progress.step);
      } else if (std::any_of(found.refused.begin(), found.refused.end(),
                             [](const auto& r) { return r.foreign; })) {
        foreign_ = true;
        fail_input(folder + " holds checkpoints of another run, and none of this one",
                   "give this experiment another name, or remove " + folder_.path());
      }
      learn::set_aside(folder, found);
      folder_.begin(task_.config, std::max<std::int64_t>(0, step.item<std::int64_t>()));
    });
    group_->broadcast(step, 0);
    const auto at = step.item<std::int64_t>();
    std::optional<learn::Checkpoint> out;
    if (at < 0) return out;
    together(*group_, [&] {
      out = learn::open_checkpoint(folder_.checkpoints() + "/" + learn::checkpoint_name(at), false);
    });
    if (leader()) {
      log::info("checkpoint", "{}: going on at step {} ({} learner{} wrote it)", task_.name, at,
                out->learners, out->learners == 1 ? "" : "s");
    }
    if (chooses_micro_tokens_) keep_micro_tokens(out->micro_tokens);
    return out;
  }

  // The order of sums stays that of the steps before, also where other jobs now leave more memory.
  void keep_micro_tokens(std::int64_t before) {
    const std::int64_t now = learner_->micro_tokens();
    if (before == 0 || before == now) return;
    if (before < now) {
      learner_->set_micro_tokens(before);
    } else if (leader()) {
      log::warn("learn",
                "{}: the steps before had {} tokens a forward pass, memory allows {} now: results "
                "agree to rounding, not to the bit",
                task_.name, before, now);
    }
  }

  void finish() {
    shard::DatasetView all;
    together(*group_, [&] { all = open_shards(); });
    evaluate_splits(*learner_, all, config_, config_.evaluate.splits, folder_, *group_);
    together(*group_, [&] {
      if (!leader()) return;
      save_planner(learner_->online(), all, config_, folder_.planner());
      write_provenance(all, /*finished=*/true);
      folder_.finish();
    });
  }

  void write_provenance(const shard::DatasetView& data, bool finished) const {
    if (!leader()) return;
    nlohmann::ordered_json hashes = nlohmann::ordered_json::object();
    for (const auto& entry : data.manifest.shards) {
      if (entry.record) hashes[entry.item.file()] = entry.record->content_sha256;
    }
    nlohmann::ordered_json provenance = environment_provenance(layout_);
    provenance["reproduce"] = reproduce_command(layout_, folder_.path());
    provenance["config_sha256"] = sha256_hex(config::to_yaml(task_.config));
    provenance["started"] = started_;
    if (finished) provenance["finished"] = utc_now();
    provenance["point"] = task_.name;
    provenance["seed"] = config_.seed;
    provenance["steps"] = total_steps_;
    provenance["parameters"] = parameters_;
    provenance["learners"] = group_->size();
    provenance["threads"] = at::get_num_threads();
    provenance["micro_tokens"] = learner_->micro_tokens();
    provenance["backend"] = group_->backend();
    provenance["shards"] = {{"key", task_.key}, {"content_sha256", hashes}};
    if (finished) provenance["weights_sha256"] = learner_->online().parameters().checksum();
    write_file_atomic(folder_.file("provenance.json"), provenance.dump(2) + "\n");
  }

  const PointTask& task_;
  const std::string started_ = utc_now();
  LearnerGroup& learners_;
  comm::Collectives* group_;  // control at first, then the tensors'
  Director& director_;
  const comm::Layout& layout_;
  RunFolder folder_;
  ExperimentConfig config_;
  shard::DatasetView dataset_;
  learn::CheckpointIdentity identity_;
  std::unique_ptr<learn::Learner> learner_;
  std::optional<RunLock> lock_;  // the leader's
  bool foreign_ = false;         // the folder is another run's
  bool chooses_micro_tokens_ = false;
  FailureNote obstacle_;  // the leader's
  std::int64_t parameters_ = 0, total_steps_ = 0;
};

}  // namespace

nlohmann::json PointTask::to_json() const {
  return {{"name", name},
          {"config", config::to_yaml(config)},
          {"run_folder", run_folder},
          {"shard_folder", shard_folder},
          {"key", key},
          {"retry", retry}};
}

nlohmann::json PointResult::to_json() const {
  return {{"ok", ok},
          {"busy", busy},
          {"kind", static_cast<int>(kind)},
          {"failure", name(failure)},
          {"reason", reason}};
}

PointResult PointResult::from_json(const nlohmann::json& j) {
  PointResult r;
  j.at("ok").get_to(r.ok);
  j.at("busy").get_to(r.busy);
  r.kind = static_cast<ErrorKind>(j.at("kind").get<int>());
  r.failure = failure_kind(j.at("failure").get<std::string>());
  j.at("reason").get_to(r.reason);
  return r;
}

PointTask PointTask::from_json(const nlohmann::json& j) {
  PointTask t;
  j.at("name").get_to(t.name);
  t.run_folder = j.at("run_folder");
  t.config = config::parse_yaml(j.at("config").get<std::string>(), t.run_folder + "/config.yaml");
  j.at("shard_folder").get_to(t.shard_folder);
  j.at("key").get_to(t.key);
  j.at("retry").get_to(t.retry);
  return t;
}

std::vector<std::string> splits_to_train(const ExperimentConfig& config) {
  std::vector<std::string> splits = {"train"};
  if (config.evaluate.during_training() && config.evaluate.split != "train") {
    splits.push_back(config.evaluate.split);
  }
  return splits;
}

int learner_threads(int wanted, int learners_on_node) {
  if (wanted > 0) return wanted;
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, cores / std::max(1, learners_on_node));
}

namespace {

void write_failure(const PointTask& task, const PointFailure& e) {
  try {
    RunFolder(task.run_folder).fail({e.failure(), e.kind(), e.full()});
  } catch (const Error& second) {
    log::error("learn", "{}: {}", task.name, second.what());  // the same full disk, most likely
  }
}

}  // namespace

PointResult run_point(const PointTask& task, LearnerGroup& group, Director& director,
                      const comm::Layout& layout) {
  PointResult result;
  PointRun run(task, group, director, layout);
  const auto failed = [&](const PointFailure& e) {
    result.kind = e.kind();
    result.failure = e.failure();
    result.reason = e.full();
    if (group.rank() != 0) {
      log::debug("learn", "{}: {}", task.name, e.what());
    } else if (e.kind() == ErrorKind::stopped) {
      log::warn("learn", "{}: {}", task.name, e.full());
    } else {
      log::error("learn", "{}: {}", task.name, e.full());
      if (run.holds_folder()) write_failure(task, e);
    }
  };
  try {
    const auto outcome = run.run();
    result.ok = outcome == PointRun::Outcome::trained || outcome == PointRun::Outcome::done_before;
    result.busy = outcome == PointRun::Outcome::busy;
    if (!result.ok) {
      result.reason = run.obstacle().reason;
      result.failure = run.obstacle().kind;
      result.kind = run.obstacle().error;
    }
    if (group.rank() == 0 && outcome != PointRun::Outcome::trained) {
      log::info("learn", "{}: {}", task.name,
                result.ok     ? "another job has finished it"
                : result.busy ? result.reason
                              : "another job has tried it, and failed");
    }
  } catch (const Error& e) {
    failed(as_failure(e));
  } catch (const std::exception& e) {
    // Of one learner alone, during a step: no memory, most likely. With others in the group the job
    // has to end; the note keeps the next one from running into the same.
    const PointFailure failure = as_failure(e);
    if (group.size() == 1) {
      failed(failure);
    } else {
      write_failure(task, failure);
      throw failure;
    }
  }
  return result;
}

void evaluate_run(const std::string& run_folder, const std::vector<std::string>& splits,
                  LearnerGroup& learners) {
  const RunFolder folder(run_folder);
  shard::DatasetView data;
  std::unique_ptr<learn::Learner> learner;
  ExperimentConfig config;
  std::vector<prompt::Comb> none;  // nothing is trained
  at::Device device = at::kCPU;
  together(learners.control(), [&] {
    config = read_experiment(config::load_yaml(folder.file("config.yaml")));
    device = device_of(config.model, learners.node());
    at::set_num_threads(learner_threads(config.threads, learners.node().count));
    const auto provenance = nlohmann::json::parse(read_file(folder.file("provenance.json")));
    const std::string key = provenance.at("shards").at("key");
    data = shard::open_dataset(shard::shard_folder(config.shards.folder, key), {key, {}, {}});
    config.model.from = folder.planner();
  });
  auto& group = learners.tensors(config.learn.collectives, device);
  settle_micro_tokens(config, data.vocab_size(), none, learners, device);
  together(group, [&] {
    auto model = make_model(config, data.vocab_size(), device, /*training=*/false).network;
    std::vector<std::int64_t> ids(data.option_ids().begin(), data.option_ids().end());
    learner.reset(
        new learn::Learner(std::move(model), none, ids, config.q.readout, config.learn, group));
  });
  evaluate_splits(*learner, data, config, splits.empty() ? config.evaluate.splits : splits, folder,
                  group);
}

}  // namespace straq::coordinate
