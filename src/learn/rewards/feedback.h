// Feedback: what the seekers themselves said. During ESConv's dialogues the seeker rated the help
// from 1 to 5 after about every second supporter turn; a rating judges the turns since the one
// before it. Some seekers rate everything high: more than half of the variance lies between
// dialogues and says nothing of a strategy, so by default a rating counts by how far it is above or
// below its dialogue's mean.
#pragma once

#include "learn/rewards/reward.h"
#include "learn/rewards/score_map.h"

namespace straq::learn {

// What a decision earns that no rating follows before the supporter's next turn, in a dialogue that
// has ratings.
enum class Unrated {
  next,     // the dialogue's next rating; its average where none comes any more
  average,  // the dialogue's average: 0 where ratings are centred
  drop,     // it is not learned from
};

class FeedbackReward : public Reward {
 public:
  bool centre = true;
  Unrated unrated = Unrated::next;
  ScoreMap map;

  std::unique_ptr<Reward> clone() const override;
  RewardFacts facts() const override;
  void sections(config::Fields& f) override;
  std::vector<Outcome> needs() const override { return {Outcome::rating}; }
  ScoreMap* scores() override { return &map; }
  void fit(const prompt::EachComb& train) override;
  // Mapped; with `centre` less the mean of the dialogue's mapped ratings. Nothing in a dialogue
  // without ratings.
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override;
  double largest_return(double gamma) const override;
  CombTransitions transitions(int strategies, std::uint64_t seed) const override;
};

}  // namespace straq::learn
