// A planner's choices on a split, one row a decision. Every strategy metric, interval and figure is
// computed from these rows and from nothing else, so they can be recomputed years after the run
// without the model or the corpus. Their file is predictions/<split>.jsonl
// (results/rows/predictions.h). Strategies are indices into the run's strategy set.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"

namespace straq::metrics {

struct Prediction {
  std::string dialogue;   // the dialogue's id: the unit of resampling
  int turn = 0;           // index of the supporter turn in its dialogue
  int index = 0;          // which decision of the dialogue, from 0
  int of = 0;             // how many decisions the dialogue has
  int gold = 0;           // what the human supporter chose
  int previous = -1;      // the supporter's strategy before (also a dropped opener's); -1: none
  int chosen = -1;        // what the planner chose; -1: its output named no strategy
  std::vector<double> q;  // Q(s, a) of every strategy; empty for methods that have none
  std::optional<double> mc_return;  // "return": discounted reward-to-go from here (metrics/value.h)
  // What the corpus says of the human supporter's turn: every strategy that it follows, strategy i
  // as bit i (0: not known; at most 31 strategies), and the seeker's rating, 1 to 5 (0: none).
  std::uint32_t strategies = 0;
  int rating = 0;

  std::string id() const { return dialogue + ":" + std::to_string(turn); }
};

// The rows of a split's episodes in order, with nothing chosen yet (chosen = -1, no Q).
std::vector<Prediction> gold_rows(const std::vector<dialogue::Episode>& episodes);

}  // namespace straq::metrics
