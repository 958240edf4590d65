#include "learn/rewards/recorded.h"

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

TransitionSource RecordedReward::transitions(const std::vector<prompt::Comb>& combs, int,
                                             std::uint64_t) const {
  return [&combs](std::int32_t comb, std::int32_t d, std::int64_t, std::vector<Transition>& out) {
    const auto& decision =
        combs[static_cast<std::size_t>(comb)].decisions[static_cast<std::size_t>(d)];
    if (!decision.reward) return;
    out.push_back({d, decision.gold, *decision.reward, !decision.terminal});
  };
}

}  // namespace straq::learn
