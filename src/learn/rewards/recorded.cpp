#include "learn/rewards/recorded.h"

#include "learn/rewards/own_action.h"

namespace straq::learn {

void RecordedConfig::fields(config::Fields& f) {
  f("largest_return", largest_return, config::above(0));
}

std::unique_ptr<Reward> RecordedReward::clone() const {
  return std::make_unique<RecordedReward>(*this);
}

RewardFacts RecordedReward::facts() const {
  return {"recorded", "straq_recorded", "straQ*-recorded", /*imitation=*/false};
}

void RecordedReward::sections(config::Fields& f) {
  f("recorded", recorded);
}

std::optional<double> RecordedReward::of_own_action(const prompt::Comb& comb, std::size_t d) const {
  return comb.decisions[d].reward;
}

double RecordedReward::largest_return(double) const {
  return recorded.largest_return;
}

CombTransitions RecordedReward::transitions(int, std::uint64_t) const {
  return own_action_transitions(*this);
}

}  // namespace straq::learn
