#include "simulate/values.h"

#include <algorithm>

#include "core/error.h"

namespace straq::simulate {
namespace {

std::vector<double> one_hot(std::size_t actions, int action) {
  std::vector<double> p(actions, 0);
  p[static_cast<std::size_t>(action)] = 1;
  return p;
}

int first_greatest(std::span<const double> q) {
  return static_cast<int>(std::max_element(q.begin(), q.end()) - q.begin());
}

}  // namespace

int Values::best(const State& state) const {
  return first_greatest(q(state));
}

// `policy` null: the best action. States are numbered by turn, terminal ones last, so counting down
// sees every successor before its predecessors.
Values solved(const Dynamics& dynamics, double gamma, const RewardFunction& reward,
              const StatePolicy* policy) {
  if (!(gamma >= 0 && gamma <= 1)) {
    fail_input("gamma " + std::to_string(gamma) + ": expected a number from 0 to 1");
  }
  Values out(dynamics, gamma);
  for (int i = dynamics.state_count(); i-- > 0;) {
    const State s = dynamics.state(i);
    if (s.terminal()) continue;
    double* q = out.q_.data() + static_cast<std::size_t>(i) * out.actions_;
    for (int a = 0; a < dynamics.action_count(); ++a) {
      double sum = 0;
      for (const auto& t : dynamics.transition(s, a)) {
        const double r = reward ? reward(s, a, t.next) : dynamics.reward(s, a, t.next);
        sum += t.probability * (r + gamma * out.value(t.next));
      }
      q[a] = sum;
    }
    double v = 0;
    if (policy == nullptr) {
      v = *std::max_element(q, q + out.actions_);
    } else {
      const std::vector<double> p = (*policy)(s);
      for (std::size_t a = 0; a < out.actions_; ++a) v += p[a] * q[a];
    }
    out.v_[static_cast<std::size_t>(i)] = v;
  }
  return out;
}

Values optimal_values(const Dynamics& dynamics, double gamma, const RewardFunction& reward) {
  return solved(dynamics, gamma, reward, nullptr);
}

Values policy_values(const Dynamics& dynamics, const StatePolicy& policy, double gamma,
                     const RewardFunction& reward) {
  return solved(dynamics, gamma, reward, &policy);
}

double start_value(const Dynamics& dynamics, const Values& values) {
  double out = 0;
  for (const auto& t : dynamics.start()) out += t.probability * values.value(t.next);
  return out;
}

StatePolicy supporter_policy(const BehaviourPolicy& supporter) {
  return [&supporter](const State& s) { return supporter.probabilities(s); };
}

StatePolicy likeliest_policy(const BehaviourPolicy& supporter) {
  return [&supporter](const State& s) {
    const auto p = supporter.probabilities(s);
    return one_hot(p.size(), first_greatest(p));
  };
}

StatePolicy greedy_policy(const Values& values) {
  return [&values](const State& s) { return one_hot(values.q(s).size(), values.best(s)); };
}

StatePolicy uniform_policy(const Dynamics& dynamics) {
  const auto n = static_cast<std::size_t>(dynamics.action_count());
  return [n](const State&) { return std::vector<double>(n, 1.0 / static_cast<double>(n)); };
}

std::vector<double> visits(const Dynamics& dynamics, const StatePolicy& policy) {
  std::vector<double> mass(static_cast<std::size_t>(dynamics.state_count()), 0);
  const auto at = [&](const State& s) -> double& {
    return mass[static_cast<std::size_t>(dynamics.index(s))];
  };
  for (const auto& t : dynamics.start()) at(t.next) += t.probability;
  for (int i = 0; i < dynamics.state_count(); ++i) {
    const State s = dynamics.state(i);
    const double m = mass[static_cast<std::size_t>(i)];
    if (m == 0 || s.terminal()) continue;
    const std::vector<double> p = policy(s);
    for (int a = 0; a < dynamics.action_count(); ++a) {
      const double pa = m * p[static_cast<std::size_t>(a)];
      if (pa == 0) continue;
      for (const auto& t : dynamics.transition(s, a)) at(t.next) += pa * t.probability;
    }
  }
  return mass;
}

}  // namespace straq::simulate
