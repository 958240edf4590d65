#include "learn/td.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"

namespace straq::learn {

namespace {

// (Share of each action among the experts' actions)^power, one number an action.
std::vector<double> prior_weights(const std::vector<prompt::Comb>& combs, int strategies,
                                  double power) {
  std::vector<double> count(static_cast<std::size_t>(strategies));
  double all = 0;
  for (const auto& comb : combs) {
    for (const auto& d : comb.decisions) {
      count[static_cast<std::size_t>(d.gold)] += 1;
      all += 1;
    }
  }
  for (auto& c : count) c = std::pow(c / std::max(all, 1.0), power);
  return count;
}

// Any action but `except` (-1: any), each as likely.
int draw_any(int actions, int except, CounterRng& rng) {
  if (except < 0) return static_cast<int>(rng.below(static_cast<std::uint64_t>(actions)));
  const int action = static_cast<int>(rng.below(static_cast<std::uint64_t>(actions - 1)));
  return action + (action >= except ? 1 : 0);
}

// An action with probability proportional to its weight; never `except` (-1: any). Where no other
// action has any weight each of them is as likely.
int draw(const std::vector<double>& weights, int except, CounterRng& rng) {
  double sum = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    if (static_cast<int>(a) != except) sum += weights[a];
  }
  if (sum <= 0) return draw_any(static_cast<int>(weights.size()), except, rng);
  double left = rng.uniform() * sum;
  int last = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    if (static_cast<int>(a) == except || weights[a] <= 0) continue;
    last = static_cast<int>(a);
    left -= weights[a];
    if (left < 0) break;
  }
  return last;
}

}  // namespace

TransitionSource imitation_transitions(const std::vector<prompt::Comb>& combs,
                                       const LearnConfig& config, int strategies,
                                       std::uint64_t seed) {
  if (strategies < 2 && config.neg.exclude_expert && config.neg.ratio > 0) {
    fail_input("learn.neg: of one strategy there is no other that could be a negative",
               "set learn.neg.ratio to 0, or use a set of at least two strategies");
  }
  const bool uniform = config.neg.prior_power == 0;
  std::vector<double> weights;
  if (!uniform) weights = prior_weights(combs, strategies, config.neg.prior_power);
  return [&combs, config, strategies, seed, uniform, weights](
             std::int32_t comb, std::int32_t d, std::int64_t epoch, std::vector<Transition>& out) {
    const auto& decision =
        combs[static_cast<std::size_t>(comb)].decisions[static_cast<std::size_t>(d)];
    if (decision.terminal && config.terminal == Terminal::drop) return;
    out.push_back({d, decision.gold, config.reward.expert, !decision.terminal});
    const auto round =
        static_cast<std::uint64_t>(config.neg.resample == Resample::epoch ? epoch : 0);
    CounterRng rng(
        seed, "negatives",
        round << 40 ^ static_cast<std::uint64_t>(comb) << 12 ^ static_cast<std::uint64_t>(d));
    for (int i = 0; i < static_cast<int>(config.neg.ratio); ++i) {
      const int except = config.neg.exclude_expert ? decision.gold : -1;
      const int action = uniform ? draw_any(strategies, except, rng) : draw(weights, except, rng);
      const bool continues = !decision.terminal && config.neg.next == NextState::same;
      out.push_back({d, action, config.neg.reward, continues});
    }
  };
}

at::Tensor next_values(Backup backup, const at::Tensor& target_next, const at::Tensor& online_next,
                       const at::Tensor& next_action) {
  switch (backup) {
    case Backup::max:
      return target_next.amax(1);
    case Backup::double_q:
      return target_next.gather(1, online_next.argmax(1, /*keepdim=*/true)).squeeze(1);
    case Backup::sarsa:
      return target_next.gather(1, next_action.unsqueeze(1)).squeeze(1);
    case Backup::expected:
      break;
  }
  fail_input("learn.backup: \"expected\" is not built");
}

at::Tensor td_targets(const at::Tensor& reward, const at::Tensor& next_value,
                      const at::Tensor& continues, double gamma) {
  return (reward + gamma * continues * next_value).detach();
}

at::Tensor td_loss_sum(LossKind kind, const at::Tensor& q, const at::Tensor& y, double delta) {
  if (kind == LossKind::mse) return (y - q).square().sum();
  return at::huber_loss(q, y, at::Reduction::Sum, delta);
}

double imitation_optimum(double p, int strategies, double gamma, double next_value) {
  const double k = strategies;
  return (k * p - 1) / ((k - 2) * p + 1) + gamma * next_value;
}

}  // namespace straq::learn
