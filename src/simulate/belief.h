// What the words tell of the seeker's state. The phrase tables say how likely each text is in each
// state, and the dynamics how the state moves, so Bayes' rule gives the exact belief over (stage,
// intensity): nobody who reads the words can know more. (Smallwood and Sondik, "The optimal control
// of partially observable Markov processes over a finite horizon", 1973.)
//
//   WordFilter filter(simulator);
//   filter.read(session.so_far());   // after each answer
//   filter.belief().p[hidden_index(Stage::action, 2)]
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "simulate/simulator.h"

namespace straq::simulate {

inline constexpr int hidden_count = stage_count * intensity_levels;
constexpr int hidden_index(Stage stage, int intensity) {
  return static_cast<int>(stage) * intensity_levels + intensity - 1;
}
constexpr Stage hidden_stage(int hidden) {
  return static_cast<Stage>(hidden / intensity_levels);
}
constexpr int hidden_intensity(int hidden) {
  return hidden % intensity_levels + 1;
}
using HiddenWeights = std::array<double, hidden_count>;

// Before a decision. Previous strategy and turn are seen by everybody.
struct Belief {
  int previous = -1, turn = 0;
  HiddenWeights p{};  // sums to 1

  State state(int hidden) const {
    return {hidden_stage(hidden), hidden_intensity(hidden), previous, turn, Outcome::ongoing};
  }
};

// The probability that a seeker turn sounds like (stage, intensity) `shown` in the state `hidden`,
// `noise` as in WordingConfig: [hidden][shown], rows sum to 1.
using ShownTable = std::array<HiddenWeights, hidden_count>;
ShownTable shown_given_hidden(double noise);

// Where dialogues begin with the strategy `opening` (-1: the seeker begins).
Belief belief_at_start(const Dynamics& dynamics, int opening);

class WordFilter {
 public:
  // `simulator` has to outlive it.
  explicit WordFilter(const Simulator& simulator);

  // Reads on where it stopped; `dialogue` is the same one, longer. It may go on after a supporter's
  // turn only once the seeker has answered, and ends with the dialogue: of a state that is over
  // there is no belief. The problem and the emotion, which the seeker's own words name, are taken
  // as known. Throws std::logic_error for words that the phrase book cannot say.
  void read(const SimulatedDialogue& dialogue);
  const Belief& belief() const { return belief_; }

 private:
  using Joint = std::array<HiddenWeights, hidden_count>;  // [before][now]
  void open(const SimulatedDialogue& dialogue);
  void hear_supporter(const std::vector<std::string>& said, int action);
  void hear_seeker(const std::vector<std::string>& pieces);
  double chance_of_support(int strategy, int hidden, PhraseBook::Supporting place,
                           const std::string& text) const;

  const Simulator* sim_;
  ShownTable shown_;
  PhraseBook::Scene scene_;
  Belief belief_;
  Joint joint_{};
  bool supporter_opened_ = false;
  std::size_t read_ = 0;              // entries of `spoken`
  std::size_t decided_ = 0;           // entries of `trace`
  std::vector<std::string> support_;  // what the supporter has said, bare
  std::set<std::string> said_;        // by anybody, bare
  std::vector<bool> tells_degree_;    // by list of the seeker's
  // By list of the seeker's and shown intensity: how likely a draw is one that was said already.
  std::vector<std::array<double, intensity_levels>> seeker_repeats_;
};

}  // namespace straq::simulate
