// Which rewards there are, by name. A file of this folder adds its reward by a line in
// registry.cpp: objects that register themselves would be lost in a static library. A program may
// add others of its own (the tests do) with an AddReward in one of its files.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "learn/rewards/reward.h"

namespace straq::learn {

// With their default settings; the first is the default reward.
const std::vector<std::unique_ptr<const Reward>>& registered_rewards();

// The names that learn.reward.kind knows, with true, as Fields::word takes them.
std::vector<std::pair<std::string, bool>> reward_names();

// At namespace scope: `const AddReward added(std::make_unique<Mine>());`
struct AddReward {
  explicit AddReward(std::unique_ptr<const Reward> reward);
};

}  // namespace straq::learn
