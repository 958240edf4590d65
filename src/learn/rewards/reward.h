// What a reward is: the rule that makes transitions of a decision, with its own settings. Each is
// one file of this folder; nothing outside knows which one a run uses. No tensors here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "prompt/comb.h"
#include "prompt/each_comb.h"

namespace straq::learn {

// (s, a, r, s') with s the state of a decision and s' that of the dialogue's next one.
struct Transition {
  std::int32_t decision = 0;  // index into the comb's decisions: the state s
  std::int32_t action = 0;
  double reward = 0;
  bool continues = true;  // false: y = r (no next state)
};

// Makes the transitions of decision `d` of a dialogue, `number` in its split, in an epoch; the same
// on every rank.
using CombTransitions =
    std::function<void(const prompt::Comb& comb, std::int64_t number, std::int32_t d,
                       std::int64_t epoch, std::vector<Transition>& out)>;
// The same of `combs[comb]`, for dialogues that are in memory.
using TransitionSource = std::function<void(std::int32_t comb, std::int32_t d, std::int64_t epoch,
                                            std::vector<Transition>& out)>;

// What results say of a reward (results/reward_facts.h), so that tables name a run without knowing
// its reward.
struct RewardFacts {
  std::string kind;    // learn.reward.kind: "imitation"
  std::string method;  // of tables' rows and of replies that follow such a planner: "straq_imit"
  std::string title;   // as tables write it: "straQ*-imit"
  // Every decision of the corpus earns the same: its return says nothing of quality.
  bool imitation = false;
};

// What came of the corpus's own course; columns that a shard may lack (docs/formats.md).
enum class Outcome {
  rating,     // decision/rating: the seeker's, of a decision
  judge,      // decision/judge: a judge's, of a decision
  reward,     // decision/reward: what the corpus says that a decision earned
  intensity,  // dialogue/initial_intensity and dialogue/final_intensity
};

struct ScoreMap;

// Why a setting of a reward changes nothing, and what would make it count.
struct IdleReason {
  std::string why, needs;
};

// A value type behind a pointer: a reward is its settings.
class Reward {
 public:
  virtual ~Reward() = default;
  virtual std::unique_ptr<Reward> clone() const = 0;
  virtual RewardFacts facts() const = 0;

  // Its keys in the section learn.reward, and its sections beside that one (imitation: learn.neg).
  // A run that chose another reward may have them, too (they are read and change nothing), so a key
  // that several rewards have must mean the same in all.
  virtual void fields(config::Fields&) {}
  virtual void sections(config::Fields&) {}
  // For a key of its own ("neg.next", "reward.expert"): whether its other settings, or a gamma of
  // 0, make it idle.
  virtual std::optional<IdleReason> idle(const std::string& /*key*/, double /*gamma*/) const {
    return {};
  }

  // Outcomes that it cannot do without.
  virtual std::vector<Outcome> needs() const { return {}; }

  // Of rewards that are made of scores from 1 to 5: the map that learn.reward.map sets; null of
  // others.
  virtual ScoreMap* scores() { return nullptr; }
  // Takes from the train split what it needs of it (a mean of scores), before of_own_action and
  // transitions() are asked; one that needs nothing visits nothing. Throws Error(input) where that
  // cannot be.
  virtual void fit(const prompt::EachComb& /*train*/) {}
  // Nothing but a dialogue's last decision earns anything: learn.terminal: drop leaves nothing.
  virtual bool only_at_the_end() const { return false; }

  // Reward of what the corpus's supporter did at decision `d`; nothing where the outcome that it
  // hangs on is not there.
  virtual std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const = 0;
  // No return of any course of actions is larger in absolute value; infinite where there is no
  // bound (a gamma of 1).
  virtual double largest_return(double gamma) const = 0;
  // Of a reward that was fitted. Draws depend on the seed and on what is asked, never on the order
  // of asking. Keeps no reference to the reward. Throws Error(input) for settings that do not go
  // with so many strategies.
  virtual CombTransitions transitions(int strategies, std::uint64_t seed) const = 0;

 protected:
  Reward() = default;
  Reward(const Reward&) = default;
  Reward& operator=(const Reward&) = default;
};

// A copy that was fitted to the train split.
inline std::unique_ptr<Reward> fitted(const Reward& reward, const prompt::EachComb& train) {
  auto out = reward.clone();
  out->fit(train);
  return out;
}

}  // namespace straq::learn
