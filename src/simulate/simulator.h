// Dialogues from a simulated seeker (dynamics.h) and supporter (behaviour.h) in varied wording
// (phrases.h). A dialogue is a pure function of (config, split, number): it does not depend on how
// many others are generated, nor in which order.
//
// One decision of the process is one supporter turn: its FIRST utterance carries the action as its
// strategy (the reader's default `merge_label: first`), the state is what the seeker's words before
// it hint at.
//
//   const Simulator simulator(config);
//   const auto simulated = simulator.generate("train", 7);  // always the same dialogue
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "simulate/behaviour.h"
#include "simulate/dynamics.h"
#include "simulate/phrases.h"

namespace straq::simulate {

// Of a split.
inline constexpr int kMostDialogues = 100'000'000;

struct SizesConfig {
  int train = 300, valid = 60, test = 60;  // dialogues
  void fields(config::Fields& f);
};

// How latent states become words; probabilities.
struct WordingConfig {
  double noise = 0.1;              // of a seeker turn that sounds like a neighbouring state
  double intensity_told = 0.9;     // of a later seeker turn that tells how strong the feeling is
  double reaction = 0.6;           // of a reaction to the supporter's turn
  double split_turn = 0.15;        // of a seeker turn sent as two utterances
  double second_utterance = 0.12;  // of a supporter turn with a second utterance, any strategy
  double farewell = 0.4;           // of a farewell added to the last supporter turn
  double last_word = 0.3;          // of a dialogue that the seeker ends
  double casual = 0.1;             // of a seeker who writes without capitals
  void fields(config::Fields& f);
};

struct SimulateConfig {
  std::uint64_t seed = 1;
  SizesConfig dialogues;
  std::string strategies = "configs/strategies/esconv.yaml";
  std::vector<std::string> phrases;  // files, merged in order
  DynamicsConfig dynamics;
  BehaviourConfig behaviour;
  WordingConfig wording;
  void fields(config::Fields& f);
};

// What happened behind the words.
struct TracedDecision {
  State state;
  int action = 0;
  State next;
  double reward = 0;
  int turn = 0;  // of the supporter's, among turns of merged utterances: "<id>:<turn>"
};

// What was said at one go, in the pieces that it was put together of: a seeker's turn, or one
// utterance of a supporter (one piece). Before a casual seeker's capitals are gone.
struct Spoken {
  dialogue::Speaker speaker = dialogue::Speaker::seeker;
  std::vector<std::string> pieces;
};

struct SimulatedDialogue {
  dialogue::Dialogue dialogue;  // id "<split>/<number>", as a reader of the file names it
  std::vector<TracedDecision> trace;
  std::vector<Spoken> spoken;
  int problem = 0, emotion = 0;  // in the phrase book
};

class Simulator {
 public:
  // Reads strategies and phrase tables; throws Error(input) for what is wrong in any of them.
  explicit Simulator(const SimulateConfig& config);

  const dialogue::StrategySet& strategies() const { return strategies_; }
  const Dynamics& dynamics() const { return dynamics_; }
  const BehaviourPolicy& policy() const { return policy_; }
  const PhraseBook& book() const { return book_; }
  const WordingConfig& wording() const { return wording_; }

  // Dialogue `number` (from 0) of a split.
  SimulatedDialogue generate(const std::string& split, int number) const;

 private:
  friend class Session;
  struct Run;
  std::uint64_t seed_;
  WordingConfig wording_;
  dialogue::StrategySet strategies_;
  Dynamics dynamics_;
  BehaviourPolicy policy_;
  PhraseBook book_;
  std::vector<double> problem_weights_;
  int farewell_ = -1;  // the strategy that says goodbye; -1 when the set has no "Others"
};

// A dialogue in which somebody else decides: the seeker has spoken, answer() says the supporter's
// turn with a strategy and the seeker's next one.
//
// Random numbers are common to all who play: what happens at a step depends on (seed, number, step)
// and on what was done, never on how often anybody drew before, so that two policies that decide
// alike see the same dialogue. Sessions share nothing that changes; any thread may have its own.
class Session {
 public:
  // Dialogue `number` (from 0). `simulator` has to outlive it.
  Session(const Simulator& simulator, std::uint64_t seed, int number);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  bool over() const { return state_.terminal(); }
  // What nobody but the simulator sees.
  const State& state() const { return state_; }
  // All that was said and done so far; the words are the dialogue's.
  const SimulatedDialogue& so_far() const;
  // Throws std::logic_error when it is over. Returns the step's reward.
  double answer(int action);

 private:
  std::unique_ptr<Simulator::Run> run_;
  const Simulator* simulator_;
  std::uint64_t seed_;
  int number_;
  CounterRng happenings_;
  State state_;
};

}  // namespace straq::simulate
