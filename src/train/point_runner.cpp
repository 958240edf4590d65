#include "train/point_runner.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "comm/activity.h"
#include "comm/fault.h"
#include "comm/stop.h"
#include "config/value.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/log.h"
#include "core/processors.h"
#include "experiment/finished_run.h"
#include "experiment/initial_model.h"
#include "experiment/provenance.h"
#include "experiment/run_inputs.h"
#include "experiment/stages.h"
#include "kernel/processor.h"
#include "learn/frozen_states.h"
#include "learn/learner.h"
#include "results/rows/provenance.h"
#include "results/run_lock.h"
#include "shard/dataset.h"
#include "train/evaluate.h"
#include "train/evaluate_replies.h"
#include "train/play_planner.h"
#include "train/responder_files.h"
#include "train/shared_outcome.h"
#include "train/torch_failure.h"
#include "train/trainer.h"

namespace straq::train {
namespace {

// Whether the train split is read from its shards as its batches come: where it would take more
// memory than learn.replay.memory_mb, and nothing else asks for all of it at once.
bool streams_train(const experiment::ExperimentConfig& config, const shard::Manifest& manifest) {
  const auto& freeze = config.learn.freeze;
  const auto& scored = config.evaluate.splits;
  if ((freeze.layers != 0 && freeze.store != learn::StoredStates::none) ||
      config.data.split == dialogue::SplitMode::sample_level ||
      std::find(scored.begin(), scored.end(), "train") != scored.end() ||
      (config.evaluate.during_training() && config.evaluate.split == "train")) {
    return false;
  }
  // What a comb takes beside its tokens: itself, and each decision with its probe.
  constexpr double kDialogue = 300, kDecision = 160, kToken = 4;
  double bytes = 0;
  for (const auto& entry : manifest.shards) {
    if (entry.item.split != "train" || !entry.record) continue;
    const auto& r = *entry.record;
    bytes += kDialogue * static_cast<double>(entry.item.count) +
             kDecision * static_cast<double>(r.decisions) +
             kToken * static_cast<double>(r.trunk_tokens + r.probe_tokens);
  }
  return bytes > static_cast<double>(config.learn.replay.memory_mb) * (1 << 20);
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
    std::optional<Trainer> trainer;
    together(*group_, [&] {
      trainer.emplace(Trainer::Context{.name = task_.name,
                                       .config = config_,
                                       .data = dataset_,
                                       .sizes = sizes_,
                                       .folder = folder_,
                                       .identity = identity_,
                                       .continued_anyway = continued_anyway_,
                                       .learner = *learner_,
                                       .group = *group_,
                                       .director = director_,
                                       .layout = layout_,
                                       .lock = lock_ ? &*lock_ : nullptr,
                                       .pack_of = pack_of_});
      total_steps_ = trainer->total_steps();
      if (checkpoint) trainer->require_within(*checkpoint);
      // From the start on, so that a run that never ends well can say what it was.
      write_provenance(dataset_, /*finished=*/false);
    });
    trainer->run(checkpoint);
    together(*group_, [&] { director_.await_dataset(); });
    comm::enter_phase("evaluating and writing the planner", comm::Patience::phase);
    if (config_.best.use) trainer->load_best();
    finish();
    return Outcome::trained;
  }
  // Why nothing was done: who holds the folder, or how the attempt before failed.
  const results::FailureNote& obstacle() const { return obstacle_; }
  // This learner may write into the folder: it is this run's, and no other job holds it.
  bool holds_folder() const { return lock_ && !lock_->lost() && !foreign_; }

 private:
  bool leader() const { return group_->rank() == 0; }
  // A responder is trained, no planner.
  bool writes() const { return config_.responder.trains(); }

  // `trained` stands for: go ahead.
  Outcome take_folder() {
    Outcome found = Outcome::trained;
    together(*group_, [&] {
      comm::fault_point("taking the folder");
      if (!leader()) return;
      try {
        lock_.emplace(folder_.path());
      } catch (const results::FolderBusy& e) {
        found = Outcome::busy;
        obstacle_.reason = e.full();
        return;
      }
      // Looked at under the lock: another job may have been here since this one began.
      if (folder_.done()) {
        foreign_ = true;  // should it be another run's
        experiment::done_with(folder_, task_.config, task_.inputs, task_.continue_anyway);
        foreign_ = false;
        found = Outcome::done_before;
      } else if (const auto failure = folder_.failure(); failure && !task_.retry) {
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
      comm::fault_point("loading shards");
      config_ = experiment::read_experiment(task_.config);
      device = device_of(config_.model, learners_.node());
      at::set_num_threads(compute_threads(config_.threads, learners_.node().sharers));
      dataset_ = open_shards(experiment::splits_to_train(config_));
      // Of a split that is not in memory this reads, and so checks, every shard.
      dataset_.each("train")([this](const prompt::Comb& comb) { sizes_.add(comb); });
    });
    alike([&] { group_ = &learners_.tensors(config_.learn.collectives, device); });
    chooses_micro_tokens_ = config_.learn.micro_tokens == 0;
    const std::vector<prompt::Comb> some = some_of_train();
    settle_micro_tokens(config_, dataset_.vocab_size(),
                        streams_ ? prompt::EachComb(some) : dataset_.each("train"), learners_,
                        device);
    together(*group_, [&] { make_learner(device); });
    learner_->share_start();
    use_frozen_states();
  }

  // Where layers are frozen and what they make of the corpus is kept.
  void use_frozen_states() {
    const auto& freeze = config_.learn.freeze;
    if (freeze.layers == 0 || freeze.store == learn::StoredStates::none) return;
    together(*group_, [&] {
      const auto& model = learner_->online();
      states_.emplace(task_.shard_folder, task_.key, model,
                      freeze.store == learn::StoredStates::bf16 ? at::kBFloat16 : model.dtype(),
                      experiment::learns_text(config_), config_.learn.micro_tokens);
    });
    pack_of_ = [this](const std::string& split, const std::vector<prompt::Comb>& combs) {
      auto& states = split_states_[&combs];
      if (!states) {
        together(*group_, [&] { states = states_->of(split, combs); });
        make_states(split, *states);
      }
      return [states](const std::vector<model::CombSelection>& s) { return states->pack(s); };
    };
    learner_->use_pack(pack_of_("train", dataset_.split("train")));
  }

  // What of a split's states is not there yet, dealt among the learners piece by piece. Pieces that
  // are there stay, so that a job which is stopped goes on here.
  void make_states(const std::string& split, learn::SplitStates& states) {
    const auto pieces = states.pieces();
    const double start = monotonic_seconds();
    double said = start;
    std::int64_t made = 0;
    for (std::int64_t first = 0; first < pieces; first += group_->size()) {
      comm::enter_phase("computing states of frozen layers", comm::Patience::phase, first);
      together(*group_, [&] {
        comm::fault_point("computing states of frozen layers");
        const auto own = first + group_->rank();
        if (own < pieces && states.make(own)) ++made;
      });
      if (group_->allreduce_max(comm::stop_requested() ? 1 : 0) > 0) {
        together(*group_, [] {
          throw Error(ErrorKind::stopped, "stopped while states of frozen layers were computed",
                      "the same command goes on with what is missing");
        });
      }
      const double now = monotonic_seconds();
      const auto done = std::min(pieces, first + group_->size());
      if (!leader() || made == 0 || (now - said < 10 && done < pieces)) continue;
      said = now;
      log::info("learn",
                "{}: states of the frozen layers, {}: {} of {} pieces, {:.0f} s, {:.0f} s left",
                task_.name, split, done, pieces, now - start,
                (now - start) / static_cast<double>(done) * static_cast<double>(pieces - done));
    }
    comm::enter_phase("loading", comm::Patience::phase);
  }

  // Dialogues of train that tell how long they are, where it is not in memory.
  std::vector<prompt::Comb> some_of_train() const {
    if (!streams_ || !chooses_micro_tokens_) return {};
    return dataset_.reader("train").read(0);
  }

  // Empty: all splits.
  shard::DatasetView open_shards(const std::vector<std::string>& splits = {}) {
    try {
      const auto manifest = shard::Manifest::read(task_.shard_folder);
      streams_ = streams_train(config_, manifest);
      const std::vector<std::string> streamed(streams_ ? 1 : 0, "train");
      return shard::open_dataset(task_.shard_folder, {task_.key, {}, {}}, splits, streamed);
    } catch (const Error& e) {
      throw results::PointFailure(results::FailureKind::bad_shard, e);
    }
  }

  void make_learner(at::Device device) {
    comm::fault_point("making the model");
    static const std::vector<prompt::Comb> none;
    const auto& train = streams_ ? none : dataset_.split("train");
    // A dialogue without decisions still has text for the language-model objective.
    const std::int64_t decisions = dataset_.decision_count("train");
    if (decisions == 0 && experiment::needs_decisions(config_))
      fail_input("the train split of " + task_.shard_folder + " has no decisions");
    if (group_->rank() == 0 && device.is_cpu() &&
        config_.model.precision == experiment::Precision::bf16 && !kernel::has_bf16_tiles()) {
      log::warn("learn",
                "model.precision: bf16 halves the memory of the weights, but this processor has no "
                "tiles for it (AMX): it multiplies in fp32 and is no faster for it");
    }
    experiment::InitialModel start =
        experiment::make_model(config_, dataset_.vocab_size(), device, /*training=*/true);
    const auto& online = start.network;
    std::vector<std::int64_t> ids(dataset_.option_ids().begin(), dataset_.option_ids().end());
    parameters_ = online->shape().parameter_count();
    identity_.parameters = learn::parameters_fingerprint(online->parameters().specs());
    // Only the leader compares and writes it, and hashing a model's weights takes a while.
    if (leader()) {
      identity_.inputs =
          experiment::run_inputs(config_, dataset_.manifest.parts, dataset_.manifest.vocab_size);
      if (writes()) {
        responder_ = gather_responder(config_, dataset_, task_.tokenizer, identity_.inputs);
      } else {
        companions_ = gather_companions(config_, dataset_, task_.tokenizer, identity_.inputs);
      }
    }
    learner_.reset(new learn::Learner(std::move(start.network), train, ids, config_.q.readout,
                                      config_.learn, *group_, std::move(start.master)));
    if (!writes()) learner_->use_shift(shift_of(config_.q, dataset_));
    const auto silent = std::count(sizes_.decisions.begin(), sizes_.decisions.end(), 0);
    if (leader() && streams_) {
      log::info("learn",
                "{}: train is larger than learn.replay.memory_mb and is read from its shards as "
                "batches come",
                task_.name);
    }
    if (leader() && silent > 0 && !experiment::learns_text(config_)) {
      log::warn("learn", "{}: {} of {} train dialogues have no strategies and are left out: {}",
                task_.name, silent, sizes_.count(),
                writes() ? "a responder learns from decisions"
                         : "no stage learns from text (pretrain.objective.lm or "
                           "learn.objective.lm)");
    }
    if (leader()) {
      const auto trained = learner_->online().parameters().size();
      log::info("learn", "{}: {} parameters{}, {} train decisions, {} thread{} a learner",
                task_.name, parameters_,
                learner_->online().part().everything()
                    ? std::string()
                    : ", " + std::to_string(trained) + " trained",
                decisions, at::get_num_threads(), at::get_num_threads() == 1 ? "" : "s");
    }
  }

  // The checkpoint to go on from, if any: the leader finds it and checks every byte, the others
  // hear its step. The folder is made ready for the run.
  std::optional<learn::Checkpoint> find_start() {
    const at::Tensor step = at::full({1}, -1, at::kLong);
    together(*group_, [&] {
      comm::fault_point("looking for checkpoints");
      if (!leader()) return;
      const std::string folder = folder_.checkpoints();
      learn::clear_partial_checkpoints(folder);
      const auto found = learn::find_checkpoint(folder, identity_, task_.continue_anyway);
      for (const auto& refused : found.refused) {
        log::warn("checkpoint", "{}", refused.reason);
      }
      const auto foreign = std::find_if(found.refused.begin(), found.refused.end(),
                                        [](const auto& r) { return r.foreign; });
      if (found.checkpoint) {
        step.fill_(found.checkpoint->progress.step);
        note_changes(*found.checkpoint);
      } else if (foreign != found.refused.end()) {
        foreign_ = true;
        fail_input(
            folder + " holds checkpoints of another run, and none of this one: " + foreign->reason,
            "give this experiment another name, remove " + folder_.path() +
                ", or go on from them with --continue-anyway");
      }
      learn::set_aside(folder, found);
      folder_.begin(task_.config, std::max<std::int64_t>(0, step.item<std::int64_t>()));
    });
    group_->broadcast(step, 0);
    const auto at = step.item<std::int64_t>();
    std::optional<learn::Checkpoint> out;
    if (at < 0) return out;
    together(*group_, [&] {
      comm::fault_point("opening the checkpoint");
      out = learn::open_checkpoint(folder_.checkpoints() + "/" + learn::checkpoint_name(at), false);
    });
    if (leader()) {
      log::info("checkpoint", "{}: going on at step {} ({} learner{} wrote it)", task_.name, at,
                out->learners, out->learners == 1 ? "" : "s");
    }
    if (chooses_micro_tokens_) keep_micro_tokens(out->micro_tokens);
    return out;
  }

  // What of the checkpoint's inputs is not as it was: only with --continue-anyway anything.
  void note_changes(const learn::Checkpoint& from) {
    continued_anyway_ = from.continued_anyway;
    const auto changes = learn::changes_since(from, identity_);
    if (changes.empty()) return;
    log::warn("checkpoint", "{}: going on from step {} although {} (--continue-anyway)", task_.name,
              from.progress.step, join_changes(changes));
    continued_anyway_.push_back({{"step", from.progress.step}, {"changes", changes}});
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

  // The planner first: what took hours to train does not depend on how it scores.
  void finish() {
    shard::DatasetView all;
    together(*group_, [&] {
      comm::fault_point("opening all splits");
      all = open_shards();
      require_lock();
    });
    together(*group_, [&] {
      comm::fault_point("writing the planner");
      if (!leader()) return;
      if (writes()) {
        save_responder(learner_->online(), responder_, folder_.responder(), config_.model.from);
      } else {
        save_planner(learner_->online(), companions_, folder_.planner(), config_.model.from);
      }
    });
    if (writes()) {
      evaluate_replies(learner_->reading(), all, config_.evaluate.splits, folder_, *group_,
                       pack_of_);
    } else {
      evaluate_splits(learner_->reading(), all, config_, config_.evaluate.splits, folder_, *group_,
                      pack_of_);
    }
    together(*group_, [&] {
      comm::fault_point("playing the planner");
      if (leader() && config_.evaluate.play > 0) play();
    });
    together(*group_, [&] {
      comm::fault_point("finishing");
      if (!leader()) return;
      require_lock();
      write_provenance(all, /*finished=*/true);
      folder_.finish();
    });
  }

  // The planner as its folder has it, in the world of its corpus.
  void play() const {
    require_lock();
    planner::OpenOptions open;
    open.device = learner_->online().device();
    const auto planner = planner::Planner::open(folder_.planner(), open);
    PlayPlan plan;
    plan.dialogues = config_.evaluate.play;
    plan.threads = at::get_num_threads();
    plan.device = open.device;
    plan.same_units = in_units_of_the_world(config_);
    results::write_simulation(folder_.simulation(),
                              play_planner(planner, world_of(config_.simulate), plan));
  }

  void require_lock() const {
    if (lock_) lock_->require_held();
  }

  void write_provenance(const shard::DatasetView& data, bool finished) const {
    if (!leader()) return;
    nlohmann::ordered_json hashes = nlohmann::ordered_json::object();
    for (const auto& entry : data.manifest.shards) {
      if (entry.record) hashes[entry.item.file()] = entry.record->content_sha256;
    }
    results::Provenance provenance;
    provenance.environment = experiment::environment_provenance(layout_);
    provenance.reproduce = experiment::reproduce_command(layout_, folder_.path());
    provenance.config_sha256 = sha256_hex(config::to_yaml(task_.config));
    provenance.inputs = identity_.inputs;
    provenance.inputs_sha256 = identity_.inputs.hex();
    if (!continued_anyway_.empty()) provenance.continued_anyway = continued_anyway_;
    provenance.started = started_;
    if (finished) provenance.finished = utc_now();
    if (!writes()) {
      const learn::RewardFacts reward = config_.learn.reward->facts();
      provenance.reward =
          results::RewardFacts{reward.kind, reward.method, reward.title, reward.imitation};
    }
    provenance.point = task_.name;
    provenance.seed = config_.seed;
    provenance.steps = total_steps_;
    provenance.parameters = parameters_;
    provenance.learners = group_->size();
    provenance.threads = at::get_num_threads();
    provenance.micro_tokens = learner_->micro_tokens();
    provenance.backend = group_->backend();
    provenance.shards = {task_.key, hashes};
    if (finished) provenance.weights_sha256 = learner_->online().checksum();
    results::write_provenance(folder_.provenance(), provenance);
  }

  const PointTask& task_;
  const std::string started_ = utc_now();
  LearnerGroup& learners_;
  comm::Collectives* group_;  // control at first, then the tensors'
  Director& director_;
  const comm::Layout& layout_;
  results::RunFolder folder_;
  experiment::ExperimentConfig config_;
  shard::DatasetView dataset_;
  bool streams_ = false;                // train is read from its shards as its batches come
  learn::CombSizes sizes_;              // of train
  learn::CheckpointIdentity identity_;  // the inputs: the leader's
  nlohmann::ordered_json continued_anyway_ = nlohmann::ordered_json::array();
  std::unique_ptr<learn::Learner> learner_;
  std::optional<learn::FrozenStates> states_;
  // By the split's dialogues, which live as long: what one evaluation opened the next one finds.
  std::map<const std::vector<prompt::Comb>*, std::shared_ptr<learn::SplitStates>> split_states_;
  planner::PackOfSplit pack_of_;          // of what a split's states are kept; empty: nothing is
  planner::Companions companions_;        // the leader's
  ResponderFiles responder_;              // the leader's, of a responder
  std::optional<results::RunLock> lock_;  // the leader's
  bool foreign_ = false;                  // the folder is another run's
  bool chooses_micro_tokens_ = false;
  results::FailureNote obstacle_;  // the leader's
  std::int64_t parameters_ = 0, total_steps_ = 0;
};

}  // namespace

namespace {

// The key of the data set that the run of a folder was made from. Throws Error(input) where the
// folder's planner is another run's: its values would be taken for this one's.
std::string shards_key(const results::RunFolder& folder) {
  const bool writes = std::filesystem::exists(folder.responder());
  const std::string path = folder.provenance(),
                    planner = writes ? folder.responder() : folder.planner();
  const char* hint = "name the folder of a run that was trained";
  const auto provenance = results::ProvenanceFile::read(path);
  if (!provenance) fail_input(path + " is missing", hint);
  const auto asked =
      read_json_file(planner + "/" + (writes ? kResponderCard : planner::kCardName), hint);
  // Versions before noted no inputs.
  const auto& inputs = provenance->known.inputs_sha256;
  if (inputs && asked.contains("inputs_sha256") && asked["inputs_sha256"] != *inputs) {
    fail_input(planner + (writes ? " is the responder" : " is the planner") +
                   " of another run than " + path + " speaks of",
               "copy the run's whole folder again, or train it again");
  }
  if (!provenance->known.shards || provenance->known.shards->key.empty()) {
    fail_input(path + ": it does not name the shards (shards.key)", hint);
  }
  return provenance->known.shards->key;
}

void write_failure(const PointTask& task, const results::PointFailure& e) {
  try {
    results::RunFolder(task.run_folder).fail({e.failure(), e.kind(), e.full()});
  } catch (const Error& second) {
    log::error("learn", "{}: {}", task.name, second.what());  // the same full disk, most likely
  }
}

}  // namespace

PointResult run_point(const PointTask& task, LearnerGroup& group, Director& director,
                      const comm::Layout& layout) {
  PointResult result;
  PointRun run(task, group, director, layout);
  const auto failed = [&](const results::PointFailure& e) {
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
  } catch (const SharedFailure& e) {
    failed(e);
  } catch (const std::exception& e) {
    // Of one learner alone, during a step: no memory, most likely. With others in the group the job
    // has to end; the note keeps the next one from running into the same.
    const results::PointFailure failure = as_failure(e);
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
  const results::RunFolder folder(run_folder);
  std::optional<results::RunLock> lock;  // the leader's
  shard::DatasetView data;
  std::unique_ptr<model::Llama> network;
  at::Tensor option_ids;
  experiment::ExperimentConfig config;
  const std::vector<prompt::Comb> none;  // nothing is trained
  at::Device device = at::kCPU;
  comm::enter_phase("loading", comm::Patience::phase);
  together(learners.control(), [&] {
    comm::fault_point("loading a run");
    if (!std::filesystem::is_directory(run_folder)) {
      fail_input(run_folder + " is no run folder", "name results/<experiment>/<point>");
    }
    config = experiment::read_experiment(config::load_yaml(folder.config()));
    device = device_of(config.model, learners.node());
    at::set_num_threads(compute_threads(config.threads, learners.node().sharers));
    const std::string key = shards_key(folder);
    const std::string shards = shard::shard_folder(config.shards.folder, key);
    experiment::ExperimentConfig scored = config;
    if (!splits.empty()) scored.evaluate.splits = splits;
    const bool streams = streams_train(scored, shard::Manifest::read(shards));
    data = shard::open_dataset(shards, {key, {}, {}}, {},
                               std::vector<std::string>(streams ? 1 : 0, "train"));
    config.model.from = config.responder.trains() ? folder.responder() : folder.planner();
    config.model.keep_layers = 0;  // the folder has what was kept
    if (learners.rank() == 0) lock.emplace(folder.path());
  });
  comm::Collectives* group = nullptr;
  alike([&] { group = &learners.tensors(config.learn.collectives, device); });
  settle_micro_tokens(config, data.vocab_size(), none, learners, device);
  together(*group, [&] {
    comm::fault_point("making the model");
    network = experiment::make_model(config, data.vocab_size(), device, /*training=*/false).network;
    const std::vector<std::int64_t> ids(data.option_ids().begin(), data.option_ids().end());
    option_ids = at::tensor(ids, at::kLong).to(device);
  });
  // One planner, whatever each has read.
  if (group->size() > 1) group->broadcast(network->parameters().flat(), 0);
  comm::enter_phase("evaluating", comm::Patience::phase);
  const auto& chosen = splits.empty() ? config.evaluate.splits : splits;
  if (config.responder.trains()) {
    evaluate_replies({*network, option_ids, config.q.readout, config.learn.micro_tokens, {}}, data,
                     chosen, folder, *group);
    return;
  }
  std::vector<double> shift;
  together(*group, [&] { shift = shift_of(config.q, data); });
  evaluate_splits({*network, option_ids, config.q.readout, config.learn.micro_tokens, shift}, data,
                  config, chosen, folder, *group);
}

}  // namespace straq::train
