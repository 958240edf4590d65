// Relief: how much weaker the seeker's emotion was after the dialogue than before it, by the survey
// at its end. One number a dialogue, earned by its last decision and carried to the others by the
// discount alone.
#pragma once

#include "learn/rewards/reward.h"

namespace straq::learn {

class ReliefReward : public Reward {
 public:
  double scale = 1;  // of a drop of the intensity by 1

  std::unique_ptr<Reward> clone() const override;
  RewardFacts facts() const override;
  void sections(config::Fields& f) override;
  std::vector<Outcome> needs() const override { return {Outcome::intensity}; }
  bool only_at_the_end() const override { return true; }
  // scale (before - after) at the last decision, 0 at the others; nothing in a dialogue where one
  // of the two intensities is not said.
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override;
  double largest_return(double gamma) const override;
  CombTransitions transitions(int strategies, std::uint64_t seed) const override;
};

}  // namespace straq::learn
