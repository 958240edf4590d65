// Recorded: a decision earns what the corpus says that it earned (decision/reward). A simulated
// corpus holds the true reward of its process (docs/simulator.md), so a planner that learns from it
// can be compared with exact values.
#pragma once

#include "learn/rewards/reward.h"

namespace straq::learn {

struct RecordedConfig {
  // No discounted sum of rewards is larger in absolute value: the corpus's matter, which nothing
  // here can know. Only the bound beyond which a run counts as diverged hangs on it.
  double largest_return = 20;
  void fields(config::Fields& f);
};

// Transitions of the corpus's own actions, and of no others. A decision without a recorded reward
// has none: its value is learned from nothing, and still is the next state of the one before it.
class RecordedReward : public Reward {
 public:
  RecordedConfig recorded;

  std::unique_ptr<Reward> clone() const override;
  RewardFacts facts() const override;
  void sections(config::Fields& f) override;
  std::vector<Outcome> needs() const override { return {Outcome::reward}; }
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override;
  double largest_return(double gamma) const override;
  CombTransitions transitions(int strategies, std::uint64_t seed) const override;
};

}  // namespace straq::learn
