// What a corpus holds, before any tokenizer: dialogues of utterances as the files have them, and
// episodes of turns and decisions as the learner sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace straq::dialogue {

enum class Speaker : std::uint8_t { seeker, supporter };

// One line of a dialogue as its file has it.
struct Utterance {
  Speaker speaker = Speaker::seeker;
  std::string text;   // white space normalised: runs become one blank, none at the ends
  int strategy = -1;  // index into the StrategySet; -1 when there is none (seeker, unlabelled)
  int feedback = 0;   // seeker's rating 1..5; 0 when there is none
  // What a supporter's utterance earned, where the corpus knows it (a simulated one does).
  std::optional<double> reward = {};
};

struct Dialogue {
  std::string id;         // "<file stem>/<number from 0, five digits>", unique in a corpus
  std::string emotion;    // of the whole session; empty when unknown
  std::string problem;    // problem_type; empty when unknown
  std::string situation;  // the seeker's description
  std::vector<Utterance> utterances;
  int initial_intensity = 0, final_intensity = 0;  // survey, 1..5; 0 when there is none
  long line = 0;                                   // where it starts in its file, for messages
};

// A run of one speaker's utterances, joined with one blank (or one utterance when unmerged).
struct Turn {
  Speaker speaker = Speaker::seeker;
  std::string text;
  int strategy = -1;            // of a supporter turn, by the merge rule
  std::vector<int> strategies;  // of every utterance merged into it
};

// A supporter turn at which a strategy is chosen: the state is everything before `turn`.
struct Decision {
  int turn = 0;  // index into Episode::turns
  int gold = 0;  // the strategy that the human supporter used
  int previous =
      -1;  // strategy of the supporter turn before (also a dropped opening one); -1 at the start
  bool terminal = false;  // the dialogue's last decision: no next state
  // What came of it: the rating 1..5 that the seeker gave for this turn (0: none), and a judge's
  // score of it where there is one.
  int rating = 0;
  std::optional<double> judge = {};
  // What it earned, as the corpus has it; the sum over the utterances of the turn.
  std::optional<double> reward = {};
};

struct Episode {
  std::string id;  // the dialogue's
  std::string emotion, problem, situation;
  std::vector<Turn> turns;
  std::vector<Decision> decisions;
  int initial_intensity = 0, final_intensity = 0;  // the dialogue's
};

enum class MergeLabel { first, last, none };

}  // namespace straq::dialogue
