// The section learn.reward: which reward, and the settings of every reward. Only those of the
// chosen one count, and only they are written into a resolved config; that the others' are accepted
// lets a sweep vary the kind.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/fields.h"
#include "learn/rewards/reward.h"
#include "learn/rewards/score_map.h"

namespace straq::learn {

class RewardConfig {
 public:
  RewardConfig();
  RewardConfig(const RewardConfig& other);
  RewardConfig& operator=(const RewardConfig& other);
  RewardConfig(RewardConfig&&) noexcept = default;
  RewardConfig& operator=(RewardConfig&&) noexcept = default;
  ~RewardConfig() = default;

  const Reward& chosen() const;
  const Reward* operator->() const { return &chosen(); }
  // Throws Error(input) for a name that no reward has.
  void choose(const std::string& kind);
  RewardMap map() const { return map_; }
  // The settings of a reward by its class, chosen or not.
  template <class R>
  R& settings() {
    for (const auto& r : rewards_) {
      if (auto* found = dynamic_cast<R*>(r.get())) return *found;
    }
    throw std::logic_error("a reward that is not registered");
  }

  // The keys of learn.reward, and the rewards' own sections of learn.
  void fields(config::Fields& f);
  void sections(config::Fields& f);

 private:
  std::vector<std::unique_ptr<Reward>> rewards_;
  std::string kind_;
  RewardMap map_ = RewardMap::raw;  // also in every reward that is made of scores
};

// The names of the rewards that have a key below learn ("neg.ratio", "reward.expert").
std::vector<std::string> rewards_with(const std::string& key);
// The sections of learn that belong to rewards ("neg").
std::vector<std::string> reward_sections();

// Throws Error(input) when `combs`, those of `split`, lack an outcome that the reward needs: saying
// whether the shards are of a version that did not keep it, or nobody gave it.
void require_outcomes(const Reward& reward, const prompt::EachComb& combs,
                      const std::string& split);

}  // namespace straq::learn
