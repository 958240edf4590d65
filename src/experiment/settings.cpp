#include "experiment/settings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "experiment/experiment.h"
#include "experiment/sweep.h"

namespace straq::experiment {
namespace {

using config::Value;

struct Written {
  std::string where;
  std::string text;
  bool by_hand = true;  // not a default that a recorded config spells out
};
using WrittenKeys = std::map<std::string, Written>;

// One point's config and what its author wrote of it.
struct Facts {
  const ExperimentConfig& config;
  const WrittenKeys& written;
  const SettingsContext& context;

  bool wrote(const std::string& key) const { return written.count(key) > 0; }
  std::string text(const std::string& key) const {
    const auto at = written.find(key);
    return at == written.end() ? std::string() : at->second.text;
  }
};

struct Reason {
  std::string why, needs;
  bool mistake = false;
};
using Verdict = std::optional<Reason>;  // none: the setting matters

struct Rule {
  std::string key;  // "learn.neg." is all that is below
  Verdict (*idle)(const Facts&, const std::string& key);

  bool covers(const std::string& k) const {
    return key.back() == '.' ? k.rfind(key, 0) == 0 : k == key;
  }
};

std::string below_learn(const std::string& key) {
  return key.substr(std::string("learn.").size());
}
bool pretrains(const Facts& f) {
  return f.config.pretrain.epochs > 0 || f.config.pretrain.steps > 0;
}
bool bellman(const Facts& f) {
  return f.config.learn.objective.bellman > 0;
}
bool writes(const Facts& f) {
  return f.config.responder.trains();
}
bool alone(const Facts& f) {
  return f.context.world == 1;
}

Verdict official_only(const Facts& f, const std::string&) {
  if (f.config.data.split == dialogue::SplitMode::official) return {};
  return Reason{"data.split cuts data.source", "set data.split: official"};
}
Verdict drawn_only(const Facts& f, const std::string&) {
  if (f.config.data.split != dialogue::SplitMode::official) return {};
  return Reason{"data.split: official takes data.train, data.valid and data.test as they are",
                "set data.split: ratio or sample_level"};
}
Verdict by_bytes_only(const Facts& f, const std::string&) {
  if (!f.config.shards.dialogues_per_shard) return {};
  return Reason{"shards.dialogues_per_shard says how large shards are",
                "leave shards.dialogues_per_shard out"};
}
Verdict byte_bpe_only(const Facts& f, const std::string&) {
  const auto& train = f.config.tokenizer.train;
  if (!train || train->kind == text::TokenizerKind::byte_bpe) return {};
  return Reason{"tokenizer.train.kind is sentencepiece", "set tokenizer.train.kind: byte_bpe"};
}
Verdict sentencepiece_only(const Facts& f, const std::string&) {
  const auto& train = f.config.tokenizer.train;
  if (!train || train->kind == text::TokenizerKind::sentencepiece) return {};
  return Reason{"tokenizer.train.kind is byte_bpe", "set tokenizer.train.kind: sentencepiece"};
}
Verdict pretrain_only(const Facts& f, const std::string&) {
  if (pretrains(f)) return {};
  if (f.wrote("pretrain.epochs") || f.wrote("pretrain.steps")) {
    return Reason{"pretrain.epochs and pretrain.steps are 0: there is no such stage",
                  "set one of them above 0, or leave the section out (pretrain: !replace {})"};
  }
  return Reason{"the stage has neither pretrain.epochs nor pretrain.steps", "set one of them",
                /*mistake=*/true};
}
Verdict pretrain_epochs(const Facts& f, const std::string&) {
  if (f.config.pretrain.steps == 0) return {};
  return Reason{"pretrain.steps goes first", "set pretrain.steps: 0"};
}
Verdict learn_epochs(const Facts& f, const std::string&) {
  if (f.config.learn.steps == 0) return {};
  return Reason{"learn.steps goes first", "set learn.steps: 0"};
}
Verdict bellman_weight(const Facts& f, const std::string& key) {
  if (writes(f)) return {};  // planner_only tells
  if (f.config.learn.planner != learn::PlannerKind::ce || f.text(key) == "0") return {};
  return Reason{"learn.planner: ce trains with cross-entropy instead", "set learn.planner: q"};
}
// What a planner has and a responder has not.
Verdict planner_only(const Facts& f, const std::string& key) {
  if (!writes(f) || key == "prompt.window") return {};
  return Reason{"a responder is trained: " + (key.rfind("prompt.", 0) == 0
                                                  ? std::string("responder.wordings and "
                                                                "responder.context say what it "
                                                                "is shown")
                                                  : "that is a planner's"),
                "leave it out, or set responder.method: none"};
}
Verdict responder_only(const Facts& f, const std::string&) {
  if (writes(f)) return {};
  return Reason{"responder.method is none: a planner is trained",
                "set responder.method: direct or straq"};
}
// A key of learn.reward that belongs to some reward, not to the section.
bool is_of_reward(const std::string& key) {
  return key.rfind("learn.reward.", 0) == 0 && !learn::rewards_with(below_learn(key)).empty();
}
Verdict bellman_only(const Facts& f, const std::string& key) {
  if (bellman(f)) return {};
  if (writes(f)) return planner_only(f, key);
  const std::string returns =
      key == "learn.gamma" || key == "learn.reward.kind" || is_of_reward(key)
          ? " (but for the returns that predictions report)"
          : "";
  if (f.config.learn.planner == learn::PlannerKind::ce) {
    return Reason{"learn.planner is ce, which has no Bellman equation" + returns,
                  "set learn.planner: q"};
  }
  return Reason{"learn.objective.bellman is 0" + returns, "set learn.objective.bellman above 0"};
}
Verdict next_states_only(const Facts& f, const std::string&) {
  if (f.config.learn.gamma > 0) return {};
  return Reason{"learn.gamma is 0: next states count for nothing", "set learn.gamma above 0"};
}
Verdict expected_only(const Facts& f, const std::string&) {
  const auto backup = f.config.learn.backup;
  if (backup == learn::Backup::expected || backup == learn::Backup::soft) return {};
  return Reason{"learn.backup is another one", "set learn.backup: expected, or soft"};
}
Verdict policy_of_words_only(const Facts& f, const std::string&) {
  if (f.config.learn.above_base <= 0) {
    return Reason{"learn.above_base is 0: there is no policy whose advantages are learned",
                  "set learn.above_base, for example to 0.2", true};
  }
  if (f.config.q.readout != planner::Readout::state_head) return {};
  return Reason{"the state head gives the values of the options", "set q.readout: mean_logit",
                true};
}
Verdict distributions_only(const Facts& f, const std::string&) {
  if (f.config.q.head_bins > 0) return {};
  return Reason{"q.head_bins is 0: values are no distributions", "set q.head_bins: 51"};
}
Verdict loss_of_numbers(const Facts& f, const std::string& key) {
  const auto loss = f.config.learn.loss;
  if (!learn::categorical(loss)) return {};
  if (key == "learn.above_base") {
    return Reason{"learn.loss learns the values' distributions, not how far they are moved",
                  "set learn.loss: mse, or learn.above_base: 0", true};
  }
  if (f.config.q.readout == planner::Readout::state_head && f.config.q.head_bins > 0) return {};
  return Reason{"it needs a readout that gives distributions",
                "set q.readout: state_head and q.head_bins: 51, or learn.loss: mse", true};
}
Verdict unbounded_values_only(const Facts& f, const std::string&) {
  const auto readout = f.config.q.readout;
  if (readout == planner::Readout::mean_logit || readout == planner::Readout::state_head) return {};
  return Reason{"q.readout gives no values that could be as far above the base's as Q asks",
                "set q.readout: mean_logit, or state_head", true};
}
Verdict hard_copies_only(const Facts& f, const std::string&) {
  if (f.config.learn.target.polyak <= 0) return {};
  return Reason{"learn.target.polyak moves the target with every step",
                "set learn.target.polyak: 0"};
}
Verdict huber_only(const Facts& f, const std::string&) {
  if (f.config.learn.loss == learn::LossKind::huber) return {};
  return Reason{"learn.loss is mse", "set learn.loss: huber"};
}
// Settings that rewards have of their own: those of another reward, and what the chosen one says.
Verdict chosen_reward_only(const Facts& f, const std::string& key) {
  const auto& learn = f.config.learn;
  const auto owners = learn::rewards_with(below_learn(key));
  if (owners.empty()) return {};
  const std::string chosen = learn.reward->facts().kind;
  if (std::find(owners.begin(), owners.end(), chosen) == owners.end()) {
    return Reason{"learn.reward.kind is " + chosen + ", which has no such setting",
                  "set learn.reward.kind: " + owners.front()};
  }
  const auto idle = learn.reward->idle(below_learn(key), learn.gamma);
  return idle ? Verdict(Reason{idle->why, idle->needs}) : Verdict();
}
Verdict mapped_reward_only(const Facts& f, const std::string&) {
  const auto reward = f.config.learn.reward->clone();
  if (reward->scores() != nullptr) return {};
  return Reason{"learn.reward.kind is " + reward->facts().kind + ", which is made of no scores",
                "set learn.reward.kind: distill or feedback"};
}
Verdict judged_reward_only(const Facts& f, const std::string&) {
  const auto needs = f.config.learn.reward->needs();
  if (std::find(needs.begin(), needs.end(), learn::Outcome::judge) != needs.end()) return {};
  return Reason{"learn.reward.kind is " + f.config.learn.reward->facts().kind +
                    ", which takes no judge's scores",
                "set learn.reward.kind: distill"};
}
Verdict turns_only(const Facts& f, const std::string&) {
  if (f.config.data.unit == dialogue::DecisionUnit::turn) return {};
  return Reason{"data.unit is utterance: nothing is merged", "set data.unit: turn"};
}
Verdict cql_only(const Facts& f, const std::string&) {
  if (f.config.learn.cql.alpha > 0) return {};
  return Reason{"learn.cql.alpha is 0", "set learn.cql.alpha above 0"};
}
Verdict nccl_only(const Facts& f, const std::string&) {
  const auto backend = f.config.learn.collectives.backend;
  if (!comm::kNcclBuilt) return Reason{"it is NCCL's, which this build has not", "build with CUDA"};
  if (backend == comm::Backend::nccl) return {};
  if (backend == comm::Backend::automatic && f.config.model.device != DeviceKind::cpu) return {};
  return Reason{"it is NCCL's, and gradients do not travel by it here",
                "set learn.collectives.backend: nccl, and model.device: cuda"};
}
Verdict several_ranks_only(const Facts& f, const std::string& key) {
  if (!alone(f) || f.text(key) == "false") return {};
  return Reason{"one process does everything", "start the ranks with mpirun or srun"};
}
// One process is one learner, and makes the shards too: asking for that is no mistake.
Verdict roles(const Facts& f, const std::string& key) {
  if (f.text(key) == "0" || f.text(key) == "1") return {};
  return several_ranks_only(f, key);
}
Verdict periodic_only(const Facts& f, const std::string&) {
  if (f.config.checkpoint.periodic()) return {};
  return Reason{"checkpoint.every_steps and checkpoint.every_minutes are 0",
                "set one of them above 0"};
}
Verdict keep_every(const Facts& f, const std::string& key) {
  if (f.config.checkpoint.every_steps > 0 || f.text(key) == "0") return {};
  return Reason{"checkpoints come by minutes, at any step", "set checkpoint.every_steps above 0"};
}
Verdict evaluates_only(const Facts& f, const std::string&) {
  if (!f.config.evaluate.splits.empty()) return {};
  return Reason{"evaluate.splits is empty", "name a split in evaluate.splits"};
}
Verdict evaluate_every_epochs(const Facts& f, const std::string&) {
  if (f.config.evaluate.every_steps == 0) return {};
  return Reason{"evaluate.every_steps goes first", "set evaluate.every_steps: 0"};
}
Verdict during_training_only(const Facts& f, const std::string&) {
  if (f.config.evaluate.during_training()) return {};
  return Reason{"nothing is evaluated while training goes on",
                "set evaluate.every_steps or evaluate.every_epochs above 0"};
}
Verdict random_weights_only(const Facts& f, const std::string&) {
  if (f.config.model.from.empty()) return {};
  return Reason{"model.from brings its own shape", "leave model.from out for random weights"};
}
Verdict given_weights_only(const Facts& f, const std::string& key) {
  if (!f.config.model.from.empty() || f.text(key) == "0") return {};
  return Reason{"model.from is not set: the shape's file says how many layers there are",
                "set model.from"};
}
Verdict adapter_only(const Facts& f, const std::string& key) {
  if (f.config.model.lora.rank > 0 || key == "model.lora.rank") return {};
  return Reason{"model.lora.rank is 0: no adapter is trained", "set model.lora.rank above 0"};
}
Verdict head_only(const Facts& f, const std::string&) {
  if (f.config.q.readout == planner::Readout::state_head || f.config.learn.dueling) return {};
  return Reason{"q.readout is no state_head", "set q.readout: state_head"};
}
Verdict frozen_only(const Facts& f, const std::string&) {
  if (f.config.learn.freeze.layers != 0) return {};
  return Reason{"learn.freeze.layers is 0: nothing is frozen", "set learn.freeze.layers above 0"};
}
Verdict simulates_only(const Facts& f, const std::string&) {
  if (!f.config.simulate.config.empty()) return {};
  return Reason{"simulate.config is not set, so no corpus is made", "set simulate.config"};
}

// With the sections that rewards have beside learn.reward.
std::vector<Rule> with_rewards(std::vector<Rule> table) {
  for (const auto& section : learn::reward_sections()) {
    table.push_back({"learn." + section + ".", bellman_only});
    table.push_back({"learn." + section + ".", chosen_reward_only});
  }
  return table;
}

// With what the other of planner and responder has.
std::vector<Rule> with_responders(std::vector<Rule> table) {
  for (const char* key : {"prompt.", "q.", "learn.objective.", "learn.planner", "learn.positions",
                          "evaluate.replicates", "evaluate.play", "best.metric", "best.mode"}) {
    table.push_back({key, planner_only});
  }
  for (const char* key : {"responder.wordings", "responder.context."}) {
    table.push_back({key, responder_only});
  }
  return table;
}

// Those of a corpus and its shards.
std::vector<Rule> with_data(std::vector<Rule> table) {
  for (const char* key : {"data.train", "data.valid", "data.test"}) {
    table.push_back({key, official_only});
  }
  for (const char* key : {"data.source", "data.ratios.", "data.split_seed"}) {
    table.push_back({key, drawn_only});
  }
  table.push_back({"data.merge_label", turns_only});
  table.push_back({"data.judgements", judged_reward_only});
  table.push_back({"shards.megabytes", by_bytes_only});
  return table;
}

// A key may have several rules; the first that finds it idle gives the reason.
const std::vector<Rule>& rules() {
  static const std::vector<Rule> table = with_data(with_responders(with_rewards({
      {"simulate.folder", simulates_only},
      {"tokenizer.train.split", byte_bpe_only},
      {"tokenizer.train.min_frequency", byte_bpe_only},
      {"tokenizer.train.model", sentencepiece_only},
      {"tokenizer.train.dummy_prefix", sentencepiece_only},
      {"tokenizer.train.split_digits", sentencepiece_only},
      {"tokenizer.train.character_coverage", sentencepiece_only},
      {"tokenizer.train.threads", sentencepiece_only},
      {"model.shape", random_weights_only},
      {"model.init_std", random_weights_only},
      {"model.lora.", adapter_only},
      {"model.keep_layers", given_weights_only},
      {"pretrain.epochs", pretrain_epochs},
      {"pretrain.objective.", pretrain_only},
      {"pretrain.lr", pretrain_only},
      {"pretrain.lr_min", pretrain_only},
      {"pretrain.warmup", pretrain_only},
      {"pretrain.beta1", pretrain_only},
      {"pretrain.beta2", pretrain_only},
      {"pretrain.eps", pretrain_only},
      {"pretrain.weight_decay", pretrain_only},
      {"pretrain.clip", pretrain_only},
      {"learn.epochs", learn_epochs},
      {"learn.objective.bellman", bellman_weight},
      {"learn.gamma", bellman_only},
      {"learn.backup", bellman_only},
      {"learn.backup", next_states_only},
      {"learn.backup_temp", bellman_only},
      {"learn.backup_temp", next_states_only},
      {"learn.backup_temp", expected_only},
      {"learn.terminal", bellman_only},
      {"learn.loss", bellman_only},
      {"learn.huber_delta", bellman_only},
      {"learn.huber_delta", huber_only},
      {"learn.target.", bellman_only},
      {"learn.target.", next_states_only},
      {"learn.target.every", hard_copies_only},
      {"learn.reward.", bellman_only},
      {"learn.reward.", chosen_reward_only},
      {"learn.freeze.store", frozen_only},
      {"q.head_width", head_only},
      {"q.head_bins", head_only},
      {"q.head_most", head_only},
      {"q.head_most", distributions_only},
      {"learn.reward.map", mapped_reward_only},
      {"learn.cql.", bellman_only},
      {"learn.kl_to_base", bellman_only},
      {"learn.above_base", bellman_only},
      {"learn.above_base", unbounded_values_only},
      {"learn.dueling", bellman_only},
      {"learn.dueling", policy_of_words_only},
      {"learn.above_base", loss_of_numbers},
      {"learn.loss", loss_of_numbers},
      {"learn.cql.temp", cql_only},
      {"learn.collectives.timeout_seconds", nccl_only},
      {"learn.collectives.deterministic", nccl_only},
      {"learn.collectives.", several_ranks_only},
      {"learn.zero1", several_ranks_only},
      {"checkpoint.keep_last", periodic_only},
      {"checkpoint.async", periodic_only},
      {"checkpoint.keep_every", keep_every},
      {"evaluate.replicates", evaluates_only},
      {"evaluate.every_epochs", evaluate_every_epochs},
      {"evaluate.split", during_training_only},
      {"best.metric", during_training_only},
      {"best.mode", during_training_only},
      {"roles.", roles},
  })));
  return table;
}

Verdict idle_reason(const Facts& f, const std::string& key) {
  for (const Rule& rule : rules()) {
    if (!rule.covers(key)) continue;
    if (auto reason = rule.idle(f, key)) return reason;
  }
  return {};
}

void collect(const Value& v, const std::string& path, const SettingsContext& context,
             WrittenKeys& out) {
  if (v.kind == Value::Kind::map) {
    for (const auto& [key, value] : v.map) {
      if (path.empty() && (key == "sweep" || key == kFormerSection)) continue;
      collect(value, path.empty() ? key : path + "." + key, context, out);
    }
    return;
  }
  if (v.kind == Value::Kind::null) return;
  const bool by_hand = !context.recorded || v.file.rfind("--set ", 0) == 0;
  out[path] = {v.where(), v.kind == Value::Kind::scalar ? v.scalar : std::string(), by_hand};
}

// The experiment's one seed, where the sweep has a list of them: said in the same breath, or on the
// command line. A base's seed is only what the sweep's list replaces.
void add_idle_seed(const Value& root, std::vector<IdleSetting>& out) {
  const Value* seed = root.find("seed");
  const Value* sweep = root.find("sweep");
  const Value* seeds = sweep ? sweep->find("seeds") : nullptr;
  if (seed == nullptr || seeds == nullptr || seeds->list.empty()) return;
  if (seed->file.rfind("--set ", 0) != 0 && seed->file != seeds->file) return;
  out.push_back(
      {"seed", seed->where(), "sweep.seeds goes first", "set sweep.seeds, or leave it out"});
}

// A section that earlier versions wrote into every recorded config: only who writes it by hand
// means something by it.
void add_former_section(const Value& root, const SettingsContext& context,
                        std::vector<IdleSetting>& out) {
  const Value* section = root.find(kFormerSection);
  if (section == nullptr) return;
  WrittenKeys written;
  collect(*section, kFormerSection, context, written);
  for (const auto& [key, value] : written) {
    if (!value.by_hand) continue;
    out.push_back({.key = key,
                   .where = value.where,
                   .why = "`straq respond` writes replies, and its reply.sampling says how",
                   .needs = "take it out; set reply.sampling in the config of `straq respond`",
                   .mistake = true});
    return;
  }
}

}  // namespace

std::vector<IdleSetting> idle_settings(const Value& root, const SettingsContext& context) {
  std::map<std::string, IdleSetting> idle;  // of the points so far
  std::set<std::string> live, varied, placed;
  SettingsContext anywhere = context;
  anywhere.world = 0;
  for (const results::Point& point : expand_points(root)) {
    const ExperimentConfig config = read_experiment(point.config);
    WrittenKeys written;
    collect(point.config, {}, context, written);
    const Facts facts{config, written, context};
    for (const auto& [key, value] : point.parameters) {
      if (key != "seed") varied.insert(key);
    }
    for (const auto& [key, value] : written) {
      if (!value.by_hand || live.count(key) > 0) continue;
      const auto reason = idle_reason(facts, key);
      if (!reason) {
        live.insert(key);
      } else {
        idle.try_emplace(key, IdleSetting{.key = key,
                                          .where = value.where,
                                          .why = reason->why,
                                          .needs = reason->needs,
                                          .mistake = reason->mistake});
        if (!idle_reason({config, written, anywhere}, key)) placed.insert(key);
      }
    }
  }
  std::vector<IdleSetting> out;
  for (auto& [key, setting] : idle) {
    if (live.count(key) > 0) continue;
    // Points that differ in nothing make a table that says so of what was never tried.
    if (varied.count(key) > 0 && placed.count(key) == 0) setting.mistake = true;
    out.push_back(std::move(setting));
  }
  add_idle_seed(root, out);
  add_former_section(root, context, out);
  return out;
}

void check_settings(const Value& root, const SettingsContext& context) {
  const auto idle = idle_settings(root, context);
  for (const auto& s : idle) {
    if (s.mistake) fail_input(s.where + ": " + s.key + " changes nothing: " + s.why, s.needs);
  }
  for (const auto& s : idle) {
    log::warn("config", "{}: {} changes nothing: {}\n  hint: {}", s.where, s.key, s.why, s.needs);
  }
}

std::vector<std::string> conditional_settings() {
  std::vector<std::string> out;
  for (const Rule& rule : rules()) {
    if (std::find(out.begin(), out.end(), rule.key) == out.end()) out.push_back(rule.key);
  }
  return out;
}

std::vector<std::string> always_effective() {
  return {
      "name",
      "results",
      "seed",
      "threads",
      "simulate.config",
      "data.name",
      "data.format",
      "data.split",
      "data.strategies",
      "data.unit",
      "data.ratings",  // also where no reward takes them: the evaluation does
      "data.limit",
      "tokenizer.path",
      "tokenizer.train.kind",
      "tokenizer.train.vocab_size",
      "tokenizer.train.specials",
      "responder.method",
      "shards.folder",
      "shards.dialogues_per_shard",
      "shards.shuffle",
      "shards.deflate",
      "model.from",
      "model.device",
      "model.precision",
      "model.recompute",
      "pretrain.steps",
      "learn.steps",
      "learn.freeze.layers",
      "learn.lr",
      "learn.lr_min",
      "learn.warmup",
      "learn.beta1",
      "learn.beta2",
      "learn.eps",
      "learn.weight_decay",
      "learn.clip",
      "learn.batch",
      "learn.micro_tokens",
      "learn.replay.",
      "learn.max_bad_steps",
      "checkpoint.every_steps",
      "checkpoint.every_minutes",
      "evaluate.splits",
      "evaluate.every_steps",
      "best.use",
      "best.patience",  // refused without evaluations during training
      "sweep.",
      "watchdog.",
  };
}

}  // namespace straq::experiment
