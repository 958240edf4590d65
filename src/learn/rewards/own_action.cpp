#include "learn/rewards/own_action.h"

#include <limits>
#include <memory>
#include <utility>

namespace straq::learn {

TransitionSource own_action_transitions(const Reward& reward,
                                        const std::vector<prompt::Comb>& combs) {
  // A std::function is copied, a unique_ptr is not.
  std::shared_ptr<const Reward> own = reward.clone();
  return [&combs, own = std::move(own)](std::int32_t comb, std::int32_t d, std::int64_t,
                                        std::vector<Transition>& out) {
    const auto& c = combs[static_cast<std::size_t>(comb)];
    const auto& decision = c.decisions[static_cast<std::size_t>(d)];
    if (const auto r = own->of_own_action(c, static_cast<std::size_t>(d))) {
      out.push_back({d, decision.gold, *r, !decision.terminal});
    }
  };
}

double largest_of_steps(double scale, double gamma) {
  return gamma >= 1 ? std::numeric_limits<double>::infinity() : scale / (1 - gamma);
}

}  // namespace straq::learn
