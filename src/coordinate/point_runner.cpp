#include "coordinate/point_runner.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <optional>

#include "config/value.h"
#include "coordinate/evaluate.h"
#include "coordinate/provenance.h"
#include "coordinate/run_lock.h"
#include "coordinate/together.h"
#include "coordinate/trainer.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/log.h"
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

std::unique_ptr<model::Llama> make_model(const ExperimentConfig& config, std::int64_t vocab,
                                         at::Device device) {
  const at::ScalarType dtype = dtype_of(config.model);
  std::unique_ptr<model::Llama> out;
  if (!config.model.from.empty()) {
    out.reset(new model::Llama(
        model::load_huggingface(config.model.from, dtype, device, /*with_gradients=*/true)));
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
    out = std::make_unique<model::Llama>(shape, dtype, device, /*with_gradients=*/true);
    out->initialise(static_cast<std::uint64_t>(config.seed));
  }
  out->set_recompute(config.model.recompute);
  if (out->shape().max_positions < config.prompt.window) {
    fail_input("prompt.window is " + std::to_string(config.prompt.window) +
                   ", but the model ends at " + std::to_string(out->shape().max_positions) +
                   " positions",
               "lower prompt.window or raise max_positions in the model's shape");
  }
  return out;
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

  // False where another job had finished the point before this one got hold of its folder.
  bool run() {
    bool done = false;
    together(*group_, [&] {
      if (!leader()) return;
      lock_.emplace(folder_.path());
      done = folder_.done_with(task_.config);
    });
    if (group_->allreduce_max(done) > 0) return false;
    prepare();
    const auto checkpoint = find_start();
    Trainer trainer({task_.name, config_, dataset_, folder_, identity_, *learner_, *group_,
                     director_, layout_, lock_ ? &*lock_ : nullptr});
    trainer.run(checkpoint);
    director_.await_dataset();
    if (config_.best.use) trainer.load_best();
    finish();
    return true;
  }
  // This learner may write into the folder: it is this run's, and no other job holds it.
  bool holds_folder() const { return lock_ && !lock_->lost() && !foreign_; }

 private:
  bool leader() const { return group_->rank() == 0; }

  void prepare() {
    at::Device device = at::kCPU;
    together(*group_, [&] {
      config_ = read_experiment(task_.config);
      device = device_of(config_.model, learners_.node());
      at::set_num_threads(learner_threads(config_.threads, learners_.node().count));
      dataset_ =
          shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}, splits_to_train(config_));
    });
    group_ = &learners_.tensors(config_.learn.collectives, device);
    together(*group_, [&] { make_learner(device); });
  }

  void make_learner(at::Device device) {
    const auto& train = dataset_.split("train");
    // A dialogue without decisions still has text for the language-model objective.
    const std::int64_t decisions = dataset_.decision_count("train");
    if (decisions == 0)
      fail_input("the train split of " + task_.shard_folder + " has no decisions");
    auto online = make_model(config_, dataset_.vocab_size(), device);
    std::vector<std::int64_t> ids(dataset_.option_ids().begin(), dataset_.option_ids().end());
    parameters_ = online->parameters().size();
    identity_ = {sha256_hex(config::to_yaml(without_placement(task_.config))),
                 learn::parameters_fingerprint(online->parameters().specs())};
    learner_.reset(new learn::Learner(std::move(online), train, ids, config_.q.readout,
                                      config_.learn, *group_));
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
    return out;
  }

  void finish() {
    shard::DatasetView all;
    together(*group_, [&] { all = shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}); });
    nlohmann::ordered_json hashes = nlohmann::ordered_json::object();
    for (const auto& entry : all.manifest.shards) {
      if (entry.record) hashes[entry.item.file()] = entry.record->content_sha256;
    }
    evaluate_splits(*learner_, all, config_, config_.evaluate.splits, folder_, *group_);
    together(*group_, [&] {
      if (!leader()) return;
      save_planner(learner_->online(), all, config_, folder_.planner());
      nlohmann::ordered_json provenance = environment_provenance(layout_);
      provenance["started"] = started_;
      provenance["finished"] = utc_now();
      provenance["point"] = task_.name;
      provenance["seed"] = config_.seed;
      provenance["parameters"] = parameters_;
      provenance["learners"] = group_->size();
      provenance["threads"] = at::get_num_threads();
      provenance["backend"] = group_->backend();
      provenance["shards"] = {{"key", task_.key}, {"content_sha256", hashes}};
      provenance["weights_sha256"] = learner_->online().parameters().checksum();
      write_file_atomic(folder_.file("provenance.json"), provenance.dump(2) + "\n");
      folder_.finish();
    });
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
  std::int64_t parameters_ = 0;
};

}  // namespace

nlohmann::json PointTask::to_json() const {
  return {{"name", name},
          {"config", config::to_yaml(config)},
          {"run_folder", run_folder},
          {"shard_folder", shard_folder},
          {"key", key}};
}

PointTask PointTask::from_json(const nlohmann::json& j) {
  PointTask t;
  j.at("name").get_to(t.name);
  t.run_folder = j.at("run_folder");
  t.config = config::parse_yaml(j.at("config").get<std::string>(), t.run_folder + "/config.yaml");
  j.at("shard_folder").get_to(t.shard_folder);
  j.at("key").get_to(t.key);
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

PointResult run_point(const PointTask& task, LearnerGroup& group, Director& director,
                      const comm::Layout& layout) {
  PointResult result;
  PointRun run(task, group, director, layout);
  try {
    if (!run.run() && group.rank() == 0) {
      log::info("learn", "{}: another job has finished it", task.name);
    }
    result.ok = true;
  } catch (const Error& e) {
    result.kind = e.kind();
    result.reason = e.full();
    if (group.rank() != 0) {
      log::debug("learn", "{}: {}", task.name, e.what());
      return result;
    }
    if (e.kind() == ErrorKind::stopped) {
      log::warn("learn", "{}: {}", task.name, e.full());
      return result;
    }
    log::error("learn", "{}: {}", task.name, e.full());
    if (!run.holds_folder()) return result;
    try {
      RunFolder(task.run_folder).fail(e.full());
    } catch (const Error& second) {
      log::error("learn", "{}: {}", task.name, second.what());  // the same full disk, most likely
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
  together(group, [&] {
    auto model = make_model(config, data.vocab_size(), device);
    std::vector<std::int64_t> ids(data.option_ids().begin(), data.option_ids().end());
    learner.reset(
        new learn::Learner(std::move(model), none, ids, config.q.readout, config.learn, group));
  });
  evaluate_splits(*learner, data, config, splits.empty() ? config.evaluate.splits : splits, folder,
                  group);
}

}  // namespace straq::coordinate
