#include "learn/rewards/registry.h"

#include <stdexcept>

#include "learn/rewards/distill.h"
#include "learn/rewards/feedback.h"
#include "learn/rewards/imitation.h"
#include "learn/rewards/recorded.h"
#include "learn/rewards/relief.h"

namespace straq::learn {
namespace {

// Made when it is first asked for: an AddReward may come before anything of this file.
std::vector<std::unique_ptr<const Reward>>& rewards() {
  static std::vector<std::unique_ptr<const Reward>> list = [] {
    std::vector<std::unique_ptr<const Reward>> built;
    built.push_back(std::make_unique<ImitationReward>());
    built.push_back(std::make_unique<DistillReward>());
    built.push_back(std::make_unique<FeedbackReward>());
    built.push_back(std::make_unique<ReliefReward>());
    built.push_back(std::make_unique<RecordedReward>());
    return built;
  }();
  return list;
}

}  // namespace

const std::vector<std::unique_ptr<const Reward>>& registered_rewards() {
  return rewards();
}

std::vector<std::pair<std::string, bool>> reward_names() {
  std::vector<std::pair<std::string, bool>> names;
  for (const auto& r : rewards()) names.emplace_back(r->facts().kind, true);
  return names;
}

AddReward::AddReward(std::unique_ptr<const Reward> reward) {
  for (const auto& r : rewards()) {
    if (r->facts().kind == reward->facts().kind) {
      throw std::logic_error("there are two rewards of the name " + reward->facts().kind);
    }
  }
  rewards().push_back(std::move(reward));
}

}  // namespace straq::learn
