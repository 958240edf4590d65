// What a training run can be told. Defaults are the preset `paper`; docs/ambiguities.md gives the
// evidence behind each and lists the choices that are documented but not built yet (choosing one is
// refused with that reason).
#pragma once

#include <cstdint>
#include <string>

#include "comm/collectives/collectives.h"
#include "config/fields.h"
#include "learn/rewards/reward_config.h"

namespace straq::learn {

// Weights of the parts of the loss; a part with weight 0 is not computed.
struct ObjectiveConfig {
  double bellman = 0;  // TD loss of the strategies
  double ce = 0;       // cross-entropy of the expert's option over all options (auto-regressive)
  double lm = 0;       // next-token cross-entropy of the dialogue's text
  void fields(config::Fields& f) {
    f("bellman", bellman, config::at_least(0));
    f("ce", ce, config::at_least(0));
    f("lm", lm, config::at_least(0));
  }
  bool any() const { return bellman > 0 || ce > 0 || lm > 0; }
};

struct StageConfig {
  ObjectiveConfig objective;
  double epochs = 0;       // passes over the train split; a fraction is allowed
  std::int64_t steps = 0;  // optimizer steps; overrides epochs when above 0
  double lr = 5e-6;
  double lr_min = 0.1;   // fraction of lr at the end of the cosine
  double warmup = 0.03;  // fraction of the steps with a linear warm-up
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.0;  // decoupled, on all parameters
  double clip = 1.0;          // global gradient norm; 0 = off
  void fields(config::Fields& f) {
    f("objective", objective);
    f("epochs", epochs, config::between(0, 1e6));
    f("steps", steps, config::between(0, 1e12));
    f("lr", lr, config::above(0));
    f("lr_min", lr_min, config::between(0, 1));
    f("warmup", warmup, config::between(0, 1));
    f("beta1", beta1, config::between(0, 0.999999));
    f("beta2", beta2, config::between(0, 0.9999999));
    f("eps", eps, config::above(0));
    f("weight_decay", weight_decay, config::at_least(0));
    f("clip", clip, config::at_least(0));
  }
};

enum class Backup { max, double_q, sarsa, expected, soft };
enum class Terminal { mask, bootstrap_on_final_seeker, drop };
enum class Positions { last, all_turns_packed };
enum class LossKind { mse, huber, hl_gauss, two_hot };
// Whether the loss compares distributions (q.head_bins) and not numbers.
inline bool categorical(LossKind kind) {
  return kind == LossKind::hl_gauss || kind == LossKind::two_hot;
}
enum class Batching { exact, whole, uniform };
enum class PlannerKind { q, ce, vhead };

struct TargetConfig {
  int every = 10;  // hard copy every so many optimizer steps; 0 = the online network (no lag)
  // Above 0: after each step the target moves by this share towards the online network, instead of
  // hard copies.
  double polyak = 0;
  void fields(config::Fields& f) {
    f("every", every, config::between(0, 1e9));
    f("polyak", polyak, config::between(0, 1));
  }
  // Whether next states are valued by a network of its own.
  bool separate() const { return every > 0 || polyak > 0; }
};

struct ReplayConfig {
  std::int64_t capacity = 12000;  // decisions in the shuffle buffer that the stream passes through
  Batching mode = Batching::exact;
  // A train split that would take more memory than so many MB is read from its shards as its
  // batches come. Batches are the same.
  std::int64_t memory_mb = 1024;
  void fields(config::Fields& f) {
    f("capacity", capacity, config::between(1, 1e12));
    f("memory_mb", memory_mb, config::between(0, 1e9));
    f.choice(
        "mode", mode,
        {{"exact", Batching::exact}, {"whole", Batching::whole}, {"uniform", Batching::uniform}});
  }
};

struct CqlConfig {
  double alpha = 0;  // weight of the cross-entropy over the options' Q (ILQL's form of CQL)
  double temp = 1;
  void fields(config::Fields& f) {
    f("alpha", alpha, config::at_least(0));
    f("temp", temp, config::above(0));
  }
};

enum class StoredStates { none, exact, bf16 };

// What stays as it is in all stages.
struct FreezeConfig {
  static constexpr std::int64_t kAll = -1;
  // Layers from the first, and the embedding with them; kAll ("all"): every layer, so that what
  // reads the last one is all that is trained. 0: nothing.
  std::int64_t layers = 0;
  // What the frozen layers make of the corpus is computed once and kept beside the shards: in the
  // model's precision, or rounded to bf16. `none`: it is computed again in every step.
  StoredStates store = StoredStates::exact;
  void fields(config::Fields& f);
};

// The Q-learning stage: a stage with everything that the Bellman equation needs.
struct LearnConfig : StageConfig {
  PlannerKind planner = PlannerKind::q;
  std::int64_t batch = 64;  // decisions per optimizer step, over all learners
  // Tokens of one forward pass on one learner; 0: as many as its free memory allows.
  std::int64_t micro_tokens = 8192;
  double gamma = 0.85;
  Backup backup = Backup::max;
  double backup_temp = 1;  // backup: expected, soft (learn/td.h)
  Terminal terminal = Terminal::mask;
  Positions positions = Positions::last;
  LossKind loss = LossKind::mse;
  double huber_delta = 1;
  TargetConfig target;
  RewardConfig reward;  // with the sections beside it that rewards have of their own
  ReplayConfig replay;
  CqlConfig cql;
  FreezeConfig freeze;
  // Weight of KL(policy, base policy), both softmaxes of the options' logits. The base is the model
  // that the stage began with (the initial one, or what pretraining made of it); it is kept only
  // where something asks for it.
  double kl_to_base = 0;
  // Above 0: what is learned as Q is `above_base` (value - base's value) of what the readout gives,
  // so that Q is 0 where training begins and choosing the greatest value is choosing the greatest
  // Q + above_base log base policy: what the base never does is not chosen for a guess. 0: Q is the
  // value itself.
  double above_base = 0;
  // With above_base: V is a head of its own on the hidden state, and Q = V + above_base (log policy
  // - log base policy), a dueling network (Wang et al. 2016, arXiv 1511.06581) whose advantages are
  // the policy's. What a state is worth is then learned from all that was done there, and says
  // nothing of strategies that nobody tried; the soft backup at temperature above_base is V (Nachum
  // et al. 2017, arXiv 1702.08892, path consistency).
  bool dueling = false;
  // Whether the base is asked at all.
  bool needs_base() const {
    return objective.bellman > 0 &&
           (kl_to_base > 0 || above_base > 0 || (backup == Backup::soft && gamma > 0));
  }
  bool zero1 = false;  // each learner keeps and updates its shard of the optimizer's state (ZeRO-1)
  comm::CollectivesConfig collectives;
  int max_bad_steps = 10;  // non-finite gradient norms in a row before the run counts as diverged

  LearnConfig() {
    objective.bellman = 1;
    epochs = 4;
  }
  void fields(config::Fields& f);
};

// The transitions of the config's reward; with terminal: drop a dialogue's last decision has none,
// with bootstrap_on_final_seeker it goes on where the seeker has the last word (Comb::final_state).
// The reward is fitted to `train`. Throws as Reward::fit and Reward::transitions do.
CombTransitions comb_transitions(const prompt::EachComb& train, const LearnConfig& config,
                                 int strategies, std::uint64_t seed);
// The same of dialogues in memory, to which it keeps a reference.
TransitionSource transitions_of(const std::vector<prompt::Comb>& combs, const LearnConfig& config,
                                int strategies, std::uint64_t seed);
// Throws Error(input) where the config asks for states that the shards of `combs`, which are of an
// older version, do not hold.
void require_final_states(const LearnConfig& config, const prompt::EachComb& combs);

}  // namespace straq::learn
