// The supporter who speaks in the generated corpus: a stochastic policy over strategies that
// follows sensible habits and sometimes does something else, as people do. What it prefers depends
// on the seeker's latent state, so that a planner can learn it from the wording and never exactly.
// Also here: what follows exactly from policy and dynamics (visits, label shares, the best possible
// accuracy), computed forward in time rather than sampled.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "simulate/dynamics.h"

namespace straq::simulate {

using Weights = std::vector<std::pair<std::string, double>>;  // by strategy name

// Preferences in one stage for a seeker of low (1-2), middle (3) and high (4-5) intensity.
struct StagePreferences {
  Weights low, middle, high;
  void fields(config::Fields& f);
};

struct BehaviourConfig {
  double noise = 0.1;                                  // probability of a strategy drawn uniformly
  double repeat_weight = 1;                            // factor on the strategy of the turn before
  Weights first;                                       // factors at a dialogue's first decision
  std::vector<std::pair<std::string, Weights>> after;  // factors by the strategy of the turn before
  StagePreferences exploration, comforting, action;
  void fields(config::Fields& f);
};

class BehaviourPolicy {
 public:
  // Strategies without a row have weight 0 in preferences and factor 1 elsewhere. Throws
  // Error(input) for unknown names and for preferences that are all zero.
  BehaviourPolicy(const BehaviourConfig& config, const dialogue::StrategySet& strategies);

  // One probability per strategy, sum 1; of a state that is not terminal.
  std::vector<double> probabilities(const State& state) const;
  int sample(const State& state, CounterRng& rng) const {
    return static_cast<int>(rng.categorical(probabilities(state)));
  }

 private:
  std::size_t actions_;
  double noise_, repeat_weight_;
  std::vector<double> first_;
  std::vector<std::vector<double>> after_;
  std::array<std::array<std::vector<double>, 3>, stage_count> preferences_;
};

struct BehaviourAnalysis {
  double decisions = 0;        // expected per dialogue
  double oracle_accuracy = 0;  // share of decisions guessed by argmax_a pi(a|s), s being known
  std::vector<double> shares;  // of each strategy among the decisions
  std::array<double, 4> outcomes{};  // probability of each Outcome at the end ([0] stays 0)
  double mean_return = 0;            // undiscounted expected sum of rewards of a dialogue
};

// Exact, by carrying the state distribution forward turn by turn.
BehaviourAnalysis analyse(const Dynamics& dynamics, const BehaviourPolicy& policy);

}  // namespace straq::simulate
