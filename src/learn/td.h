// The temporal-difference arithmetic: targets and losses of transitions (learn/rewards/ makes
// them). Pure functions; the worked numbers of the tests are computed by hand.
#pragma once

#include <ATen/ATen.h>

#include "learn/learn_config.h"

namespace straq::learn {

// V(s') of each next state [n]. `target_next` [n, K]: Q of the target network; `online_next` [n,
// K]: Q of the online network (backup = double only); `next_action` int64 [n]: the corpus's own
// next action (backup = sarsa only); `temp`: backup = expected weighs Q by softmax(Q / temp), which
// is max for a temp near 0 and the plain mean for a large one (expected SARSA, Sutton and Barto,
// Reinforcement Learning, section 6.6, of a softmax policy). `base` [n, K]: log-probabilities of
// the options under the base policy (backup = soft only), for V = temp log sum_a base(a) exp(Q(a) /
// temp), the most that a policy can have of Q - temp KL(policy, base) (Fox et al. 2016, arXiv
// 1512.08562, equation 11): near 0 the greatest Q of all that the base does at all, for a large
// temp the base's own mean.
at::Tensor next_values(Backup backup, const at::Tensor& target_next, const at::Tensor& online_next,
                       const at::Tensor& next_action, double temp = 1, const at::Tensor& base = {});

// y = r + gamma * continues * V(s'), all [n]; no gradient flows through it.
at::Tensor td_targets(const at::Tensor& reward, const at::Tensor& next_value,
                      const at::Tensor& continues, double gamma);

// Targets `y` [n] as distributions [n, bins] over `bins` equal parts of [-most, most], targets
// outside of it as the nearest end. hl_gauss: a normal distribution around y with a standard
// deviation of 0.75 parts, cut off at the ends (Farebrother et al. 2024, arXiv 2403.03950, section
// 3.1); two_hot: the two parts whose centres lie around y, so that the mean is y.
at::Tensor as_distribution(LossKind kind, const at::Tensor& y, std::int64_t bins, double most);

// Sum over transitions of the cross-entropy of `log_p` [n, bins] against as_distribution's.
at::Tensor categorical_loss_sum(const at::Tensor& log_p, const at::Tensor& target);

// Sum (not mean) over transitions of (y - q)^2 or of Huber's loss with `delta`.
at::Tensor td_loss_sum(LossKind kind, const at::Tensor& q, const at::Tensor& y, double delta);

}  // namespace straq::learn
