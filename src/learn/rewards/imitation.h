// Imitation: the expert's action is worth reward.expert, and neg.ratio sampled other actions are
// worth neg.reward, all with the observed next state (or none, neg.next = terminal).
#pragma once

#include "learn/rewards/reward.h"

namespace straq::learn {

enum class NextState { same, terminal };
enum class Resample { epoch, fixed };

struct NegativeConfig {
  double ratio = 1;  // sampled other actions per expert action, on average
  double reward = -1;
  NextState next = NextState::same;
  Resample resample = Resample::epoch;
  bool exclude_expert = true;
  // Actions are drawn with probability proportional to (how often experts take them)^prior_power: 0
  // draws uniformly; with 1 a common action is as often a negative as a positive, and Q prefers
  // what is more likely here than elsewhere instead of what is common.
  double prior_power = 0;
  void fields(config::Fields& f);
};

class ImitationReward : public Reward {
 public:
  double expert = 1;  // reward of the corpus's own action
  NegativeConfig neg;

  std::unique_ptr<Reward> clone() const override;
  RewardFacts facts() const override;
  void fields(config::Fields& f) override;
  void sections(config::Fields& f) override;
  std::optional<IdleReason> idle(const std::string& key, double gamma) const override;
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override;
  double largest_return(double gamma) const override;
  // With neg.prior_power above 0: how often each action is the expert's.
  void fit(const prompt::EachComb& train) override;
  // Draws depend on (seed, dialogue's number, decision) and, with neg.resample = epoch, on the
  // epoch; with neg.prior_power above 0 also on what fit() counted; where no action but the
  // expert's own ever is one, the others are drawn uniformly. Throws Error(input) where negatives
  // are asked for that exclude the only strategy there is.
  CombTransitions transitions(int strategies, std::uint64_t seed) const override;

 private:
  std::vector<double> taken_;  // by experts, by action
};

// The optimum of the imitation objective: an expert action of probability p with reward +1 against
// one negative drawn uniformly from the other K - 1 with reward -1 gives
// Q = (K p - 1) / ((K - 2) p + 1) + gamma V'.
double imitation_optimum(double p, int strategies, double gamma, double next_value);

}  // namespace straq::learn
