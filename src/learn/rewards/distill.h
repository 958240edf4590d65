// Distillation: a judge's score of what the corpus's supporter said (the paper's straQ*-distill).
#pragma once

#include "learn/rewards/reward.h"
#include "learn/rewards/score_map.h"

namespace straq::learn {

// A decision without a score: nobody judged it, or the judge's answer could not be read.
enum class MissingScore {
  drop,  // it is not learned from
  mean,  // it has the mean of the train split's scores
};

class DistillReward : public Reward {
 public:
  MissingScore missing = MissingScore::drop;
  ScoreMap map;

  std::unique_ptr<Reward> clone() const override;
  RewardFacts facts() const override;
  void sections(config::Fields& f) override;
  std::vector<Outcome> needs() const override { return {Outcome::judge}; }
  ScoreMap* scores() override { return &map; }
  void fit(const prompt::EachComb& train) override;
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override;
  double largest_return(double gamma) const override;
  CombTransitions transitions(int strategies, std::uint64_t seed) const override;
};

}  // namespace straq::learn
