// A reward of one's own, in one file: the seeker's rating of a decision, less the middle of its
// scale. tests/jobs/reward_test.py runs the program that has it.
#include "learn/rewards/registry.h"

namespace straq::learn {
namespace {

class RatedReward : public Reward {
 public:
  double scale = 1;

  std::unique_ptr<Reward> clone() const override { return std::make_unique<RatedReward>(*this); }
  RewardFacts facts() const override { return {"rated", "straq_rated", "straQ*-rated", false}; }
  void fields(config::Fields& f) override { f("scale", scale, config::above(0)); }
  std::vector<Outcome> needs() const override { return {Outcome::rating}; }
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override {
    const auto rating = comb.decisions[d].rating;
    return rating > 0 ? scale * (rating - 3) : 0;
  }
  double largest_return(double gamma) const override { return 2 * scale / (1 - gamma); }
  CombTransitions transitions(int, std::uint64_t) const override {
    return [reward = *this](const prompt::Comb& comb, std::int64_t, std::int32_t d, std::int64_t,
                            std::vector<Transition>& out) {
      const auto& decision = comb.decisions[static_cast<std::size_t>(d)];
      out.push_back({d, decision.gold, *reward.of_own_action(comb, static_cast<std::size_t>(d)),
                     !decision.terminal});
    };
  }
};
const AddReward added(std::make_unique<RatedReward>());

}  // namespace
}  // namespace straq::learn
