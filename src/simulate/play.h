// What a policy is worth that does not see the state: it is played. Random numbers are common to
// all who play (Session), and the return is also estimated without the luck of the draw: with Q*
// known, the expected return is V* at the start plus the sum of the advantages
// Q*(s, a) - V*(s) <= 0 of what was done (the performance difference lemma; Kakade and Langford,
// 2002), which only varies where the policy errs.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "simulate/belief.h"
#include "simulate/values.h"

namespace straq::simulate {

// Decides in one dialogue, asked before each decision in order.
using Chooser = std::function<int(const Session& session)>;
// Makes one for each dialogue; called from several threads at once.
using ChooserOf = std::function<Chooser(int number)>;

struct PlayOptions {
  int dialogues = 20000;
  std::uint64_t seed = 1;
  int threads = 1;
};

struct Mean {
  double value = 0, standard_error = 0;
};
// Of the values of one number a dialogue; the standard error of fewer than two is 0.
Mean mean_of(const std::vector<double>& values);

struct Played {
  // A number a dialogue: the discounted sum of its rewards, and V* at the start averaged over the
  // starts, plus the discounted advantages.
  std::vector<double> returns, by_advantage;
  std::array<std::int64_t, 4> outcomes{};  // dialogues by Outcome
  std::int64_t decisions = 0;
};

// Adds one dialogue that is over, as a number among `dialogues`.
void add_played(Played& played, const SimulatedDialogue& dialogue, const Values& best,
                double at_start);

// `best` are optimal values with the discount by which returns are counted. The result does not
// depend on the number of threads. Throws what a chooser throws.
Played play(const Simulator& simulator, const Values& best, const ChooserOf& chooser,
            const PlayOptions& options);

// By the belief: `choice` is told what the words tell.
ChooserOf by_belief(const Simulator& simulator, std::function<int(const Belief&)> choice);
// By the state itself; draws from a policy's probabilities where they leave a choice.
ChooserOf by_state(StatePolicy policy, std::uint64_t seed);

}  // namespace straq::simulate
