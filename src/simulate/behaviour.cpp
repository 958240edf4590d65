#include "simulate/behaviour.h"

#include <algorithm>

namespace straq::simulate {
namespace {

std::vector<double> resolve(const Weights& rows, const dialogue::StrategySet& strategies,
                            const std::string& where, double missing) {
  const std::vector<int> at = rows_by_strategy(rows, strategies, where);
  std::vector<double> out;
  for (int row : at) out.push_back(row < 0 ? missing : rows[static_cast<std::size_t>(row)].second);
  return out;
}

std::vector<double> resolve_preferences(const Weights& rows,
                                        const dialogue::StrategySet& strategies,
                                        const std::string& where) {
  std::vector<double> out = resolve(rows, strategies, where, 0);
  if (std::none_of(out.begin(), out.end(), [](double w) { return w > 0; })) {
    fail_input(where + ": no strategy has a positive weight",
               "give at least one strategy a weight above 0");
  }
  return out;
}

std::size_t band(int intensity) {
  return intensity <= 2 ? 0 : intensity == 3 ? 1 : 2;
}

}  // namespace

void StagePreferences::fields(config::Fields& f) {
  f.required("low", low, config::at_least(0));
  f.required("middle", middle, config::at_least(0));
  f.required("high", high, config::at_least(0));
}

void BehaviourConfig::fields(config::Fields& f) {
  f("noise", noise, config::between(0, 1));
  f("repeat_weight", repeat_weight, config::at_least(0));
  f("first", first, config::at_least(0));
  f("after", after, config::at_least(0));
  f.required("exploration", exploration);
  f.required("comforting", comforting);
  f.required("action", action);
}

BehaviourPolicy::BehaviourPolicy(const BehaviourConfig& config,
                                 const dialogue::StrategySet& strategies)
    : actions_(static_cast<std::size_t>(strategies.size())),
      noise_(config.noise),
      repeat_weight_(config.repeat_weight),
      first_(resolve(config.first, strategies, "behaviour.first", 1)) {
  const std::vector<int> at = rows_by_strategy(config.after, strategies, "behaviour.after");
  for (std::size_t a = 0; a < actions_; ++a) {
    const Weights none;
    const Weights& row = at[a] < 0 ? none : config.after[static_cast<std::size_t>(at[a])].second;
    after_.push_back(
        resolve(row, strategies, "behaviour.after." + strategies[static_cast<int>(a)].name, 1));
  }
  const StagePreferences* stages[] = {&config.exploration, &config.comforting, &config.action};
  for (int s = 0; s < stage_count; ++s) {
    const std::string where = std::string("behaviour.") + name(static_cast<Stage>(s));
    preferences_[static_cast<std::size_t>(s)] = {
        resolve_preferences(stages[s]->low, strategies, where + ".low"),
        resolve_preferences(stages[s]->middle, strategies, where + ".middle"),
        resolve_preferences(stages[s]->high, strategies, where + ".high")};
  }
}

std::vector<double> BehaviourPolicy::probabilities(const State& s) const {
  std::vector<double> p = preferences_[static_cast<std::size_t>(s.stage)][band(s.intensity)];
  const std::vector<double> plain = p;
  double sum = 0;
  for (std::size_t a = 0; a < actions_; ++a) {
    if (s.turn == 0) p[a] *= first_[a];
    if (s.previous >= 0) {
      p[a] *= after_[static_cast<std::size_t>(s.previous)][a];
      if (static_cast<std::size_t>(s.previous) == a) p[a] *= repeat_weight_;
    }
    sum += p[a];
  }
  if (sum <= 0) {  // the factors removed everything that was preferred: fall back on the habit
    p = plain;
    for (double w : p) sum += w;
  }
  for (double& x : p) x = (1 - noise_) * x / sum + noise_ / static_cast<double>(actions_);
  return p;
}

BehaviourAnalysis analyse(const Dynamics& dynamics, const BehaviourPolicy& policy) {
  BehaviourAnalysis out;
  out.shares.assign(static_cast<std::size_t>(dynamics.action_count()), 0);
  std::vector<double> mass(static_cast<std::size_t>(dynamics.state_count()), 0);
  for (const auto& t : dynamics.start()) {
    mass[static_cast<std::size_t>(dynamics.index(t.next))] += t.probability;
  }
  // A step always raises `turn` or ends, and indices grow with `turn`: one pass in index order
  // sees every state after all its predecessors.
  for (int i = 0; i < dynamics.state_count(); ++i) {
    const double m = mass[static_cast<std::size_t>(i)];
    if (m == 0) continue;
    const State s = dynamics.state(i);
    if (s.terminal()) {
      out.outcomes[static_cast<std::size_t>(s.outcome)] += m;
      continue;
    }
    const std::vector<double> p = policy.probabilities(s);
    out.decisions += m;
    out.oracle_accuracy += m * *std::max_element(p.begin(), p.end());
    for (int a = 0; a < dynamics.action_count(); ++a) {
      const double pa = p[static_cast<std::size_t>(a)];
      if (pa == 0) continue;
      out.shares[static_cast<std::size_t>(a)] += m * pa;
      out.mean_return += m * pa * dynamics.reward(s, a);
      for (const auto& t : dynamics.transition(s, a)) {
        mass[static_cast<std::size_t>(dynamics.index(t.next))] += m * pa * t.probability;
      }
    }
  }
  out.oracle_accuracy /= out.decisions;
  for (double& x : out.shares) x /= out.decisions;
  return out;
}

}  // namespace straq::simulate
