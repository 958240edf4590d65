// The simulated seeker's mind as a finite Markov decision process. Real corpora have no known
// dynamics, so nothing learned from them can be checked against a true value; here every
// probability and reward comes from one table (configs/simulate/seeker.yaml), from which the corpus
// generator samples and from which exact values can be computed.
//
//   state   stage (exploration, comforting, action) x emotion intensity 1..5 x strategy of the
//           supporter turn before x number of decisions already taken
//   action  a support strategy, by its index in the StrategySet
//   step    1. the seeker leaves with probability `leave`; else
//           2. stage moves on by one with probability advance * readiness[intensity], and,
//              independently, intensity falls by one with probability `relief` (never below 1) or
//              rises by one with probability `upset` (never above 5); repeating the strategy of the
//              turn before multiplies `advance` and `relief` by `repeat_factor`;
//           3. in the action stage the seeker is settled with probability settle[new intensity];
//           4. after `max_turns` decisions the dialogue ends anyway.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "core/error.h"
#include "core/rng.h"
#include "dialogue/strategy.h"

namespace straq::simulate {

enum class Stage : int { exploration = 0, comforting = 1, action = 2 };
inline constexpr int stage_count = 3;
inline constexpr int intensity_levels = 5;
const char* name(Stage stage);

// `ongoing` or how a dialogue ended.
enum class Outcome : int { ongoing = 0, settled = 1, left = 2, out_of_turns = 3 };
const char* name(Outcome outcome);

// A terminal state keeps its outcome and intensity only; its other members are zero (previous -1).
struct State {
  Stage stage = Stage::exploration;
  int intensity = 3;  // 1 (calm) .. 5 (overwhelmed)
  int previous = -1;  // strategy of the supporter turn before; -1 when there was none
  int turn = 0;       // decisions taken so far
  Outcome outcome = Outcome::ongoing;

  bool terminal() const { return outcome != Outcome::ongoing; }
  bool operator==(const State&) const = default;
};

struct Transition {
  State next;
  double probability = 0;
};

// What one strategy does in one stage: probabilities.
struct Effect {
  double advance = 0, relief = 0, upset = 0, leave = 0;
  void fields(config::Fields& f);
};

struct EffectTable {
  using Row = std::vector<std::pair<std::string, Effect>>;  // by strategy name
  Row exploration, comforting, action;
  void fields(config::Fields& f);
};

struct StartConfig {
  std::vector<double> intensity;  // weights of intensities 1..5
  // Weights of the strategy with which a supporter opens the dialogue, and of no such opening.
  double seeker_opens = 1;
  std::vector<std::pair<std::string, double>> supporter_opens;
  void fields(config::Fields& f);
};

struct RewardConfig {
  double step = 0;     // of every decision
  double relief = 0;   // per point of intensity lost (a gain of intensity costs as much)
  double advance = 0;  // per stage moved on
  double settled = 0, left = 0, out_of_turns = 0;  // of the ending
  void fields(config::Fields& f);
};

struct DynamicsConfig {
  int max_turns = 12;
  double repeat_factor = 1;
  std::vector<double> readiness;  // factor on `advance` by intensity 1..5, in [0, 1]
  std::vector<double> settle;     // probability of settling by new intensity 1..5
  StartConfig start;
  RewardConfig reward;
  EffectTable effects;
  std::string where;  // "file:line: dynamics.effects", for messages
  void fields(config::Fields& f);
};

class Dynamics {
 public:
  // Throws Error(input) naming the stage and strategy for a row that is missing, unknown or no
  // probability distribution.
  Dynamics(const DynamicsConfig& config, const dialogue::StrategySet& strategies);

  int action_count() const { return actions_; }
  int max_turns() const { return config_.max_turns; }

  // A dense numbering of all states, terminal ones last.
  int state_count() const { return ongoing_count() + 3 * intensity_levels; }
  int index(const State& state) const;
  State state(int index) const;

  // Where a dialogue begins; probabilities sum to 1.
  const std::vector<Transition>& start() const { return start_; }
  // Every successor with its probability (each once, positive, sum 1). A terminal state has none.
  std::vector<Transition> transition(const State& state, int action) const;
  // Of one step, and its expectation over transition(state, action).
  double reward(const State& state, int action, const State& next) const;
  double reward(const State& state, int action) const;

  State sample_start(CounterRng& rng) const { return sample(start_, rng); }
  State step(const State& state, int action, CounterRng& rng) const {
    return sample(transition(state, action), rng);
  }

 private:
  int ongoing_count() const {
    return config_.max_turns * (actions_ + 1) * intensity_levels * stage_count;
  }
  static State sample(const std::vector<Transition>& among, CounterRng& rng);
  const Effect& effect(Stage stage, int action) const {
    return effects_[static_cast<std::size_t>(stage)][static_cast<std::size_t>(action)];
  }

  DynamicsConfig config_;
  int actions_ = 0;
  std::array<std::vector<Effect>, stage_count> effects_;
  std::vector<Transition> start_;
};

// The rows of a map that names strategies, by index; -1 where a strategy has none. Throws
// Error(input), its message starting with `where`, for unknown names and for names given twice.
template <class T>
std::vector<int> rows_by_strategy(const std::vector<std::pair<std::string, T>>& rows,
                                  const dialogue::StrategySet& strategies,
                                  const std::string& where) {
  std::vector<int> at(static_cast<std::size_t>(strategies.size()), -1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto found = strategies.find(rows[i].first);
    if (!found) {
      const std::string near = strategies.nearest(rows[i].first);
      fail_input(where + ": unknown strategy \"" + rows[i].first + "\"" +
                     (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
                 "rows are named by the strategies of the strategies file");
    }
    int& slot = at[static_cast<std::size_t>(*found)];
    if (slot >= 0) {
      fail_input(where + ": strategy \"" + strategies[*found].name + "\" has two rows",
                 "keep one of \"" + rows[static_cast<std::size_t>(slot)].first + "\" and \"" +
                     rows[i].first + "\"");
    }
    slot = static_cast<int>(i);
  }
  return at;
}

}  // namespace straq::simulate
