// Exact values of the simulator's decision process. Every step raises the number of decisions taken
// or ends the dialogue, so one sweep backward in time is the dynamic program (Puterman, "Markov
// Decision Processes", 1994, chapter 4): no iteration, no tolerance.
//
//   const Values best = optimal_values(dynamics, 0.95);
//   best.value(state), best.q(state, action), best.best(state)
//   start_value(dynamics, policy_values(dynamics, supporter_policy(policy), 1.0))
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "simulate/behaviour.h"
#include "simulate/dynamics.h"

namespace straq::simulate {

// What a step earns; without one, what the dynamics' own table says.
using RewardFunction = std::function<double(const State& state, int action, const State& next)>;
// Probabilities of the actions, one each, sum 1; of a state that is not terminal.
using StatePolicy = std::function<std::vector<double>(const State& state)>;

class Values {
 public:
  Values(const Dynamics& dynamics, double gamma)
      : dynamics_(&dynamics),
        gamma_(gamma),
        actions_(static_cast<std::size_t>(dynamics.action_count())),
        v_(static_cast<std::size_t>(dynamics.state_count()), 0),
        q_(v_.size() * actions_, 0) {}

  double gamma() const { return gamma_; }
  const Dynamics& dynamics() const { return *dynamics_; }
  // Expected discounted sum of the rewards from here on; 0 of a terminal state.
  double value(const State& state) const { return v_[at(state)]; }
  // One number an action; zeros of a terminal state.
  std::span<const double> q(const State& state) const {
    return {q_.data() + at(state) * actions_, actions_};
  }
  double q(const State& state, int action) const {
    return q(state)[static_cast<std::size_t>(action)];
  }
  // The first of the best actions.
  int best(const State& state) const;

 private:
  friend Values solved(const Dynamics& dynamics, double gamma, const RewardFunction& reward,
                       const StatePolicy* policy);
  std::size_t at(const State& state) const {
    return static_cast<std::size_t>(dynamics_->index(state));
  }

  const Dynamics* dynamics_;  // which has to outlive these values
  double gamma_;
  std::size_t actions_;
  std::vector<double> v_, q_;  // [states], [states, actions]
};

// V* and Q*. Throws Error(input) unless 0 <= gamma <= 1 (a dialogue is finite, so 1 is allowed).
Values optimal_values(const Dynamics& dynamics, double gamma, const RewardFunction& reward = {});
// V and Q of a policy that depends on the state.
Values policy_values(const Dynamics& dynamics, const StatePolicy& policy, double gamma,
                     const RewardFunction& reward = {});
// Expectation over the states in which dialogues begin.
double start_value(const Dynamics& dynamics, const Values& values);

// Policies: the supporter's own mixture, its likeliest strategy, the best by some Q values (with
// gamma 0 greedy in the immediate reward), all strategies alike. They refer to their arguments.
StatePolicy supporter_policy(const BehaviourPolicy& supporter);
StatePolicy likeliest_policy(const BehaviourPolicy& supporter);
StatePolicy greedy_policy(const Values& values);
StatePolicy uniform_policy(const Dynamics& dynamics);

// How often each state is visited in a dialogue, by index; terminal ones with the probability of
// ending there.
std::vector<double> visits(const Dynamics& dynamics, const StatePolicy& policy);

}  // namespace straq::simulate
