#include "coordinate/point_runner.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "config/value.h"
#include "coordinate/evaluate.h"
#include "coordinate/provenance.h"
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
  return config.precision == Precision::fp64 ? at::kDouble : at::kFloat;
}

at::Device device_of(const ModelConfig& config, const comm::Collectives& group) {
#ifdef STRAQ_CUDA
  if (config.device != DeviceKind::cpu && at::hasCUDA()) {
    return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(
                                     group.rank() % at::detail::getCUDAHooks().deviceCount()));
  }
  if (config.device == DeviceKind::cuda) {
    fail_runtime("model.device: cuda, but this node shows no GPU",
                 "set model.device to auto or cpu");
  }
#else
  (void)config;
  (void)group;
#endif
  return at::kCPU;
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
  if (out->shape().max_positions < config.prompt.window) {
    fail_input("prompt.window is " + std::to_string(config.prompt.window) +
                   ", but the model ends at " + std::to_string(out->shape().max_positions) +
                   " positions",
               "lower prompt.window or raise max_positions in the model's shape");
  }
  return out;
}

struct Stage {
  const char* name;
  learn::StageConfig config;
  std::int64_t steps = 0;
  bool syncs = false;
};

// The batches of a stage, epoch after epoch.
class BatchStream {
 public:
  BatchStream(const std::vector<prompt::Comb>& combs, const learn::LearnConfig& config,
              std::uint64_t seed)
      : combs_(combs), config_(config), seed_(seed) {}
  const learn::Batch& next() {
    if (at_ == batches_.size()) {
      ++epoch_;
      batches_ = learn::epoch_batches(combs_, config_.replay.mode, config_.batch,
                                      config_.replay.capacity, seed_, epoch_);
      at_ = 0;
    }
    return batches_[at_++];
  }
  std::int64_t epoch() const { return epoch_; }

 private:
  const std::vector<prompt::Comb>& combs_;
  const learn::LearnConfig& config_;
  std::uint64_t seed_;
  std::vector<learn::Batch> batches_;
  std::size_t at_ = 0;
  std::int64_t epoch_ = -1;
};

std::int64_t steps_of(const learn::StageConfig& stage, std::int64_t batches) {
  if (stage.steps > 0) return stage.steps;
  return static_cast<std::int64_t>(std::ceil(stage.epochs * static_cast<double>(batches)));
}

nlohmann::ordered_json metrics_line(std::int64_t step, std::int64_t epoch, const Stage& stage,
                                    const learn::StepMetrics& m) {
  nlohmann::ordered_json j = {
      {"step", step}, {"stage", stage.name}, {"epoch", epoch}, {"loss", m.loss}};
  const auto& o = stage.config.objective;
  if (o.bellman > 0) {
    j["td_loss"] = m.td_loss;
    j["td_abs"] = m.td_abs;
    j["q_mean"] = m.q_mean;
    j["target_mean"] = m.target_mean;
  }
  if (o.ce > 0) j["ce_loss"] = m.ce_loss;
  // A short last batch may hold no dialogue's beginning and so no text: a loss of 0 would be a lie.
  if (o.lm > 0 && m.text_tokens > 0) j["lm_loss"] = m.lm_loss;
  if (m.cql_loss != 0) j["cql_loss"] = m.cql_loss;
  j["max_q"] = m.max_q;
  j["grad_norm"] = m.grad_norm;  // null when it was not finite
  j["lr"] = m.lr;
  j["decisions"] = m.decisions;
  j["tokens"] = m.tokens;
  if (m.skipped) j["skipped"] = true;
  return j;
}

nlohmann::ordered_json timings_line(std::int64_t step, const learn::StepSeconds& s) {
  return {{"step", step},
          {"seconds", s.total},
          {"target", s.target},
          {"forward", s.forward},
          {"backward", s.backward},
          {"reduce", s.reduce},
          {"optimizer", s.optimizer}};
}

// Runs `f` on every learner and agrees on the outcome: when it failed anywhere, every learner gets
// that failure and none goes on into a collective that the others will never enter.
template <class F>
void together(comm::Collectives& group, F&& f) {
  std::optional<Error> mine;
  try {
    f();
  } catch (const Error& e) {
    mine = e;
  } catch (const std::exception& e) {
    mine = Error(ErrorKind::failure, e.what());
  }
  const double worst = group.allreduce_max(mine ? mine->exit_code() : 0);
  if (mine) throw *mine;
  if (worst > 0)
    throw Error(static_cast<ErrorKind>(static_cast<int>(worst)), "another learner failed");
}

class PointRun {
 public:
  PointRun(const PointTask& task, comm::Collectives& group, Director& director,
           const comm::Layout& layout)
      : task_(task),
        group_(group),
        director_(director),
        layout_(layout),
        folder_(task.run_folder) {}

  void run() {
    together(group_, [&] { prepare(); });
    train();
    director_.await_dataset();
    finish();
  }

 private:
  bool leader() const { return group_.rank() == 0; }

  void prepare() {
    config_ = read_experiment(task_.config);
    at::set_num_threads(learner_threads(config_.threads, layout_.learners_on_node));
    if (leader()) folder_.begin(task_.config);
    dataset_ = shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}, {"train"});
    const auto& train = dataset_.split("train");
    combs_ = &train;
    // A dialogue without decisions still has text for the language-model objective.
    const std::int64_t decisions = dataset_.decision_count("train");
    if (decisions == 0)
      fail_input("the train split of " + task_.shard_folder + " has no decisions");
    auto online = make_model(config_, dataset_.vocab_size(), device_of(config_.model, group_));
    std::vector<std::int64_t> ids(dataset_.option_ids().begin(), dataset_.option_ids().end());
    parameters_ = online->parameters().size();
    learner_.reset(new learn::Learner(std::move(online), train, ids, config_.q.readout,
                                      config_.learn, group_));
    const auto seed = static_cast<std::uint64_t>(config_.seed);
    const auto batches = static_cast<std::int64_t>(
        learn::epoch_batches(train, config_.learn.replay.mode, config_.learn.batch,
                             config_.learn.replay.capacity, seed, 0)
            .size());
    if (config_.pretrain.epochs > 0 || config_.pretrain.steps > 0) {
      stages_.push_back({"pretrain", config_.pretrain, steps_of(config_.pretrain, batches), false});
    }
    const bool bellman = config_.learn.objective.bellman > 0;
    stages_.push_back({bellman ? "q" : "ce", config_.learn, steps_of(config_.learn, batches),
                       bellman && config_.learn.target.every > 0});
    if (leader()) {
      log::info("learn",
                "{}: {} parameters, {} train decisions, {} batches an epoch, {} thread{} a learner",
                task_.name, parameters_, decisions, batches, at::get_num_threads(),
                at::get_num_threads() == 1 ? "" : "s");
    }
  }

  void train() {
    std::optional<LineWriter> metrics, timings;
    together(group_, [&] {
      if (!leader()) return;
      metrics.emplace(folder_.file("metrics.jsonl"), false);
      timings.emplace(folder_.file("timings.jsonl"), false);
    });
    const auto seed = static_cast<std::uint64_t>(config_.seed);
    const learn::TransitionSource transitions = learn::imitation_transitions(
        *combs_, config_.learn, static_cast<int>(dataset_.option_ids().size()), seed);
    comm::Status status;
    int bad = 0;
    const auto start = std::chrono::steady_clock::now();
    auto last_log = start;
    for (const Stage& stage : stages_) {
      learner_->begin_stage(stage.config, stage.steps);
      BatchStream stream(*combs_, config_.learn, seed);
      status.stage_begin = status.step;
      status.stage_end = status.step + stage.steps;
      status.sync_every = stage.syncs ? config_.learn.target.every : 0;
      while (true) {
        status.diverged = bad >= config_.learn.max_bad_steps;
        const comm::Directive directive = director_.boundary(status);
        if (directive.sync_target) {
          const std::string checksum = learner_->sync_target();
          if (leader())
            log::debug("learn", "step {}: target := online ({})", status.step,
                       checksum.substr(0, 12));
        }
        if (directive.stop) {
          throw Error(ErrorKind::diverged,
                      "diverged: the gradient was not finite in " + std::to_string(bad) +
                          " steps in a row, the last at step " + std::to_string(status.step),
                      "lower learn.lr, or raise learn.clip's effect by lowering it");
        }
        if (status.step == status.stage_end) break;
        while (status.step < directive.run_until) {
          const learn::Batch& batch = stream.next();
          const learn::StepMetrics m = learner_->step(batch, stream.epoch(), transitions);
          ++status.step;
          bad = m.skipped ? bad + 1 : 0;
          if (leader()) {
            metrics->write(metrics_line(status.step, stream.epoch(), stage, m).dump());
            timings->write(timings_line(status.step, learner_->seconds()).dump());
            const auto now = std::chrono::steady_clock::now();
            if (now - last_log > std::chrono::seconds(5) || status.step == status.stage_end) {
              last_log = now;
              const double seconds = std::chrono::duration<double>(now - start).count();
              log::info("learn", "{} {} step {}/{}: loss {:.4f}, {:.0f} s", task_.name, stage.name,
                        status.step, total_steps(), m.loss, seconds);
            }
          }
          if (bad >= config_.learn.max_bad_steps) break;  // the same on every learner
        }
      }
    }
  }

  std::int64_t total_steps() const {
    std::int64_t n = 0;
    for (const auto& s : stages_) n += s.steps;
    return n;
  }

  void finish() {
    shard::DatasetView all;
    together(group_, [&] { all = shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}); });
    nlohmann::ordered_json hashes = nlohmann::ordered_json::object();
    for (const auto& entry : all.manifest.shards) {
      if (entry.record) hashes[entry.item.file()] = entry.record->content_sha256;
    }
    evaluate_splits(*learner_, all, config_, config_.evaluate.splits, folder_, group_);
    together(group_, [&] {
      if (!leader()) return;
      save_planner(learner_->online(), all, config_, folder_.planner());
      nlohmann::ordered_json provenance = environment_provenance(layout_);
      provenance["started"] = started_;
      provenance["finished"] = utc_now();
      provenance["point"] = task_.name;
      provenance["seed"] = config_.seed;
      provenance["parameters"] = parameters_;
      provenance["learners"] = group_.size();
      provenance["threads"] = at::get_num_threads();
      provenance["backend"] = group_.backend();
      provenance["shards"] = {{"key", task_.key}, {"content_sha256", hashes}};
      provenance["weights_sha256"] = learner_->online().parameters().checksum();
      write_file_atomic(folder_.file("provenance.json"), provenance.dump(2) + "\n");
      folder_.finish();
    });
  }

  const PointTask& task_;
  const std::string started_ = utc_now();
  comm::Collectives& group_;
  Director& director_;
  const comm::Layout& layout_;
  RunFolder folder_;
  ExperimentConfig config_;
  shard::DatasetView dataset_;
  const std::vector<prompt::Comb>* combs_ = nullptr;
  std::unique_ptr<learn::Learner> learner_;
  std::vector<Stage> stages_;
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

int learner_threads(int wanted, int learners_on_node) {
  if (wanted > 0) return wanted;
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, cores / std::max(1, learners_on_node));
}

PointResult run_point(const PointTask& task, comm::Collectives& group, Director& director,
                      const comm::Layout& layout) {
  PointResult result;
  try {
    PointRun(task, group, director, layout).run();
    result.ok = true;
  } catch (const Error& e) {
    result.kind = e.kind();
    result.reason = e.full();
    if (group.rank() == 0) {
      log::error("learn", "{}: {}", task.name, e.full());
      RunFolder(task.run_folder).fail(e.full());
    }
  }
  return result;
}

void evaluate_run(const std::string& run_folder, const std::vector<std::string>& splits,
                  comm::Collectives& group) {
  const RunFolder folder(run_folder);
  shard::DatasetView data;
  std::unique_ptr<learn::Learner> learner;
  ExperimentConfig config;
  std::vector<prompt::Comb> none;  // nothing is trained
  together(group, [&] {
    config = read_experiment(config::load_yaml(folder.file("config.yaml")));
    at::set_num_threads(learner_threads(config.threads, group.size()));
    const auto provenance = nlohmann::json::parse(read_file(folder.file("provenance.json")));
    const std::string key = provenance.at("shards").at("key");
    data = shard::open_dataset(shard::shard_folder(config.shards.folder, key), {key, {}, {}});
    config.model.from = folder.planner();
    auto model = make_model(config, data.vocab_size(), device_of(config.model, group));
    std::vector<std::int64_t> ids(data.option_ids().begin(), data.option_ids().end());
    learner.reset(
        new learn::Learner(std::move(model), none, ids, config.q.readout, config.learn, group));
  });
  evaluate_splits(*learner, data, config, splits.empty() ? config.evaluate.splits : splits, folder,
                  group);
}

}  // namespace straq::coordinate
