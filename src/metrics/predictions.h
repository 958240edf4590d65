// A planner's choices on a split, one row a decision, and their file predictions/<split>.jsonl.
// Every strategy metric, interval and figure is computed from these rows and from nothing else, so
// they can be recomputed years after the run without the model or the corpus.
//
// A line of the file:
//   {"id":"test/00003:7","dialogue":"test/00003","turn":7,"index":2,"of":11,"gold":5,
//    "previous":2,"chosen":5,"q":[…one number a strategy…],"return":3.2}
// Strategies are indices into the run's strategy set. Keys that are not listed are ignored, so a
// writer may add its own.
#pragma once

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

  std::string id() const { return dialogue + ":" + std::to_string(turn); }
};

// The rows of a split's episodes in order, with nothing chosen yet (chosen = -1, no Q).
std::vector<Prediction> gold_rows(const std::vector<dialogue::Episode>& episodes);

// Reads a predictions file for a set of `strategies` strategies. Throws Error(input) with file and
// line for a line that is no such object, an index outside the set, a Q list of another length, an
// id that does not belong to its row, or a decision that comes twice.
std::vector<Prediction> read_predictions(const std::string& path, int strategies = 8);

// Writes the file whole or not at all. Q values and returns are written so that they read back
// to the same bits; a non-finite Q becomes null (and reads back as NaN).
void write_predictions(const std::string& path, std::span<const Prediction> rows);

}  // namespace straq::metrics
