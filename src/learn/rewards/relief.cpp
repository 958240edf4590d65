#include "learn/rewards/relief.h"

#include "learn/rewards/own_action.h"

namespace straq::learn {
namespace {

struct ReliefSection {
  ReliefReward& reward;
  void fields(config::Fields& f) { f("scale", reward.scale, config::above(0)); }
};

}  // namespace

std::unique_ptr<Reward> ReliefReward::clone() const {
  return std::make_unique<ReliefReward>(*this);
}

RewardFacts ReliefReward::facts() const {
  return {"relief", "straq_relief", "straQ*-relief", /*imitation=*/false};
}

void ReliefReward::sections(config::Fields& f) {
  ReliefSection section{*this};
  f("relief", section);
}

std::optional<double> ReliefReward::of_own_action(const prompt::Comb& comb, std::size_t d) const {
  if (comb.initial_intensity <= 0 || comb.final_intensity <= 0) return std::nullopt;
  if (d + 1 < comb.decisions.size()) return 0;
  return scale * (comb.initial_intensity - comb.final_intensity);
}

double ReliefReward::largest_return(double) const {
  constexpr double kFurthest = 4;  // of two intensities
  return kFurthest * scale;
}

CombTransitions ReliefReward::transitions(int, std::uint64_t) const {
  return own_action_transitions(*this);
}

}  // namespace straq::learn
