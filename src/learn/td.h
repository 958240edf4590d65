// The temporal-difference arithmetic: targets, losses, and the transitions that an imitation reward
// makes of a decision. Pure functions; the worked numbers of the tests are computed by hand.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "learn/learn_config.h"
#include "prompt/comb.h"

namespace straq::learn {

// (s, a, r, s') with s the state of a decision and s' that of the dialogue's next one.
struct Transition {
  std::int32_t decision = 0;  // index into the comb's decisions: the state s
  std::int32_t action = 0;
  double reward = 0;
  bool continues = true;  // false: y = r (no next state)
};

// Makes the transitions of decision `d` of `combs[comb]` in an epoch; the same on every rank.
using TransitionSource = std::function<void(std::int32_t comb, std::int32_t d, std::int64_t epoch,
                                            std::vector<Transition>& out)>;

// Imitation: the expert's action with reward.expert and neg.ratio sampled other actions with
// neg.reward, all with the observed next state (or none, neg.next = terminal). Draws depend on
// (seed, comb, decision) and, with neg.resample = epoch, on the epoch; with neg.prior_power above 0
// also on how often each action is the expert's in `combs`; where no action but the expert's own
// ever is one, the others are drawn uniformly. Throws Error(input) where negatives are asked for
// that exclude the only strategy there is.
TransitionSource imitation_transitions(const std::vector<prompt::Comb>& combs,
                                       const LearnConfig& config, int strategies,
                                       std::uint64_t seed);

// V(s') of each next state [n]. `target_next` [n, K]: Q of the target network; `online_next` [n,
// K]: Q of the online network (backup = double only); `next_action` int64 [n]: the corpus's own
// next action (backup = sarsa only).
at::Tensor next_values(Backup backup, const at::Tensor& target_next, const at::Tensor& online_next,
                       const at::Tensor& next_action);

// y = r + gamma * continues * V(s'), all [n]; no gradient flows through it.
at::Tensor td_targets(const at::Tensor& reward, const at::Tensor& next_value,
                      const at::Tensor& continues, double gamma);

// Sum (not mean) over transitions of (y - q)^2 or of Huber's loss with `delta`.
at::Tensor td_loss_sum(LossKind kind, const at::Tensor& q, const at::Tensor& y, double delta);

// The optimum of the imitation objective: an expert action of probability p with reward +1 against
// one negative drawn uniformly from the other K - 1 with reward -1 gives
// Q = (K p - 1) / ((K - 2) p + 1) + gamma V'.
double imitation_optimum(double p, int strategies, double gamma, double next_value);

}  // namespace straq::learn
