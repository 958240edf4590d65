// One learner: an online network, a target network where the stage needs one, and the optimizer
// step that all learners of a group take together on one global batch.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/collectives/collectives.h"
#include "learn/checkpoint.h"
#include "learn/comb_feed.h"
#include "learn/learn_config.h"
#include "learn/optimizer.h"
#include "learn/sampler.h"
#include "learn/step_plan.h"
#include "learn/td.h"
#include "model/llama.h"
#include "planner/ask.h"
#include "planner/readout.h"
#include "prompt/comb.h"

namespace straq::learn {

// What a step did, summed over the group: the same numbers on every learner.
struct StepMetrics {
  double loss = 0;         // the weighted sum that was minimised
  double td_loss = 0;      // mean over transitions
  double ce_loss = 0;      // mean over decisions
  double lm_loss = 0;      // mean over text tokens
  double cql_loss = 0;     // mean over decisions
  double kl_loss = 0;      // mean over decisions
  double td_abs = 0;       // mean |y - q|
  double q_mean = 0;       // mean Q of the transitions' actions
  double max_q = 0;        // mean over decisions of max_a Q
  double target_mean = 0;  // mean y
  double grad_norm = 0;    // before clipping
  double lr = 0;
  std::int64_t decisions = 0, transitions = 0, tokens = 0;
  std::int64_t text_tokens = 0;  // that lm_loss is the mean over; 0: the batch carried no text
  bool skipped = false;          // the gradient was not finite: no update
};

// Seconds by phase of one step on this learner; without the making of its plan.
struct StepSeconds {
  double target = 0, forward = 0, backward = 0, reduce = 0, optimizer = 0, total = 0;
};

class Learner {
 public:
  // `combs` is the train split and outlives the learner, as do `collectives`; none where batches
  // bring their dialogues. `option_ids`: the options' token ids in strategy order. `online` has
  // gradients: a network that is only asked needs no learner (planner/ask.h). `master`: the fp32
  // weights that an online network of lower precision was rounded from, [its trained parameters] on
  // the host; training goes on from these (see AdamW). Undefined: none.
  //
  // What one learner alone may fail at (memory, files) is apart from what all must enter: the
  // constructor, begin_stage() and restore() are this learner's alone, so that the group can agree
  // on how they ended before share_start() and share_restored(), which all call together and which
  // allocate next to nothing.
  Learner(std::unique_ptr<model::Llama> online, const std::vector<prompt::Comb>& combs,
          std::vector<std::int64_t> option_ids, planner::Readout readout, const LearnConfig& config,
          comm::Collectives& collectives, at::Tensor master = {});

  // Every learner starts from the leader's weights, whatever it has read or drawn itself.
  // Collective; once, after the constructor has succeeded everywhere. Alone there is nothing to
  // share.
  void share_start();

  // Starts a stage: new optimizer state, its own objective and schedule of `total_steps`. A stage
  // whose targets come from a network of their own gets one, a copy of the online network; no other
  // stage pays for it.
  void begin_stage(const StageConfig& stage, std::int64_t total_steps);

  // How batches of the train split are packed from now on (planner::pack_plainly at first): with
  // states of frozen layers that are known (learn/frozen_states.h). Not while a plan is being made.
  void use_pack(planner::Pack pack) { pack_ = std::move(pack); }

  // What this learner does for a step of the stage that has begun; may be called on another thread
  // while step() runs. `transitions` names what is learned at each decision.
  StepPlan plan(const Batch& batch, std::int64_t epoch, const TransitionSource& transitions) const;
  // The same of a batch that brings its dialogues.
  StepPlan plan(const FedBatch& fed, std::int64_t epoch, const CombTransitions& transitions) const;
  // One optimizer step on the global batch; every learner of the group calls it with its plan of
  // the same batch. `next`, if any, is the plan of the step after this one, and stays where it is
  // until then: its target values, which do not depend on the weights that this step changes, are
  // computed while the gradients travel and while slower learners finish. With or without it the
  // results are the same bits; sync_target() and the like make what was computed void.
  StepMetrics step(const StepPlan& plan, const StepPlan* next = nullptr);
  StepMetrics step(const Batch& batch, std::int64_t epoch, const TransitionSource& transitions);

  // Target := online, where there is a target and it does not follow step by step. Returns the
  // online checksum, which must agree in the group: throws Error(failure) when it does not (a
  // learner went astray).
  std::string sync_target();

  // How the online network is asked as it is now; refers to this learner.
  planner::Reading reading() const {
    return {*online_, option_ids_, readout_, config_.micro_tokens, shift_};
  }
  // What is added to the values of the options where the network is asked (planner::Reading), and
  // nowhere in training.
  void use_shift(std::vector<double> shift) { shift_ = std::move(shift); }

  // For checkpoints: the whole state as flat buffers, and the way back after begin_stage started
  // the stage that the checkpoint was written in. Weights are those that are updated: fp32 where
  // the model computes in bf16. Buffers alias this learner's where it holds them whole. state() and
  // weights() are collective: shards are gathered. So is share_restored(), which all call once all
  // have restored; restore() itself reads this learner's part, and throws what read_buffer throws.
  // The target network is part of the state where the stage has one.
  StateSlice state();
  at::Tensor weights();
  std::int64_t optimizer_steps() const { return optimizer_->steps(); }
  void restore(const Checkpoint& checkpoint);
  void share_restored() { share_parameters(); }
  // Weights in the precision of weights(), into the online network alone.
  void set_weights(const at::Tensor& weights);

  // Tokens of a forward pass (LearnConfig::micro_tokens, at least 1): another number gives the same
  // results but for the order of sums. Not while a plan is being made.
  std::int64_t micro_tokens() const { return config_.micro_tokens; }
  void set_micro_tokens(std::int64_t tokens) { config_.micro_tokens = tokens; }

  model::Llama& online() { return *online_; }
  // Null while the stage needs none, and before the first one.
  model::Llama* target() { return target_.get(); }
  comm::Collectives& group() { return collectives_; }
  const StepSeconds& seconds() const { return seconds_; }

 private:
  at::Tensor shard_of(const at::Tensor& padded) const;
  // Whether next states are valued by a network of their own: not where the stage has no Bellman
  // equation, nor with target.every = 0 and no soft updates, where the online network does it.
  bool has_target() const { return stage_.objective.bellman > 0 && config_.target.separate(); }
  bool soft() const { return config_.target.polyak > 0; }
  void move_target();
  void take_master(const at::Tensor& all);
  at::Tensor gathered(const at::Tensor& shard);
  void share_parameters();

  struct Sums;
  // Of next states, [next probes, K]: their Q, and the logarithm of the base policy (backup: soft);
  // where V is known by itself it stands for both, [next probes].
  struct NextStates {
    at::Tensor q, base, value;
  };
  // What a network says at hidden states: the readout's values [n, K] by strategy, and V [n] where
  // the network is a dueling one.
  struct Read {
    at::Tensor values, state;
  };
  Read read(const model::Llama& network, const at::Tensor& hidden, const at::Tensor& labels) const;
  // Whether the soft backup is V: a dueling network's, at its own temperature.
  bool backs_up_state() const {
    return config_.dueling && config_.backup == Backup::soft &&
           config_.backup_temp == config_.above_base;
  }
  // What networks other than the online one say of the pass's next states; undefined where none is
  // asked.
  NextStates target_values(const PassPlan& pass);
  // The base's values at the readouts of `states`, [readouts, K] by strategy, without gradients.
  at::Tensor base_values(const model::CombBatch& states, const at::Tensor& labels) const;
  // Q of what was read, where it is measured above the base.
  at::Tensor above(const Read& read, const at::Tensor& base) const;
  // The policy over the options that values stand for, [rows, K].
  at::Tensor log_policy(const at::Tensor& values) const;
  bool asks_base_of_states() const;
  void look_ahead(const StepPlan& next);
  // The TD losses of a pass with transitions, summed; what else is said about them goes into
  // `parts`. q_read: Q of all rows that were read; q: of the decisions.
  at::Tensor td_loss(const PassPlan& pass, const at::Tensor& q_read, const at::Tensor& q,
                     const NextStates& next, const at::Tensor& at_probes,
                     std::vector<at::Tensor>& parts) const;
  // Of the transitions: the distributions of Q of their states and actions, [transitions, bins].
  at::Tensor distributions(const PassPlan& pass, const at::Tensor& at_probes) const;
  // The option that the corpus's strategy is at each decision, [probes] int64.
  at::Tensor expert_options(const PassPlan& pass) const;
  // What a pass's decisions add to the loss, with weights; undefined where nothing does. Parts go
  // into `parts`.
  at::Tensor decisions_loss(const PassPlan& pass, const at::Tensor& at_readouts,
                            const NextStates& target_next, const StepPlan& step,
                            std::vector<at::Tensor>& parts) const;
  // `pass` lies on the device.
  void accumulate(const PassPlan& pass, const NextStates& target_next, const StepPlan& step,
                  Sums& sums, bool last);

  std::unique_ptr<model::Llama> online_, target_;
  std::unique_ptr<model::Llama> base_;  // what the stage began with (LearnConfig::needs_base)
  // Of soft updates where weights are bf16: the target in fp32, or small moves would be rounded
  // away.
  at::Tensor soft_target_;
  StepPlan plan(const std::vector<prompt::Comb>& combs, const Batch& batch, std::int64_t epoch,
                const TransitionSource& transitions) const;

  const std::vector<prompt::Comb>& combs_;
  at::Tensor option_ids_;
  planner::Readout readout_;
  std::vector<double> shift_;
  LearnConfig config_;
  planner::Pack pack_ = planner::pack_plainly;
  comm::Collectives& collectives_;
  bool sharded_ = false;  // ZeRO-1: optimizer state is this learner's shard
  std::unique_ptr<comm::GradientReducer> reducer_;
  StageConfig stage_;
  std::int64_t stage_steps_ = 0, stage_step_ = 0;
  std::unique_ptr<AdamW> optimizer_;
  // Until the first stage begins: this learner's part of the master weights, on its device; until
  // they are shared the leader's of all learners, and a piece in which they travel.
  struct Start {
    at::Tensor master, all, piece;
    std::int64_t begin = 0;  // of `master` in the flat buffer
  } start_;
  struct Ahead {
    const StepPlan* plan = nullptr;
    std::vector<PassPlan> passes;  // on the device
    std::vector<NextStates> target;
  } ahead_;
  StepSeconds seconds_;
};

}  // namespace straq::learn
