#include "learn/rewards/own_action.h"

#include <limits>
#include <memory>
#include <utility>

namespace straq::learn {

CombTransitions own_action_transitions(const Reward& reward) {
  // A std::function is copied, a unique_ptr is not.
  std::shared_ptr<const Reward> own = reward.clone();
  return [own = std::move(own)](const prompt::Comb& comb, std::int64_t, std::int32_t d,
                                std::int64_t, std::vector<Transition>& out) {
    const auto& decision = comb.decisions[static_cast<std::size_t>(d)];
    if (const auto r = own->of_own_action(comb, static_cast<std::size_t>(d))) {
      out.push_back({d, decision.gold, *r, !decision.terminal});
    }
  };
}

double largest_of_steps(double scale, double gamma) {
  return gamma >= 1 ? std::numeric_limits<double>::infinity() : scale / (1 - gamma);
}

}  // namespace straq::learn
