// predictions/<split>.jsonl of a run folder: metrics::Prediction, a line a decision.
//
//   {"id":"test/00003:7","dialogue":"test/00003","turn":7,"index":2,"of":11,"gold":5,
//    "previous":2,"chosen":5,"q":[…one number a strategy…],"return":3.2,
//    "strategies":[2,5],"rating":4}
//
// Strategies are indices into the run's strategy set. Keys that are not listed are ignored, so a
// writer may add its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "metrics/predictions.h"

namespace straq::results {

// Reads a predictions file for a set of `strategies` strategies. Throws Error(input) with file and
// line for a line that is no such object, an index outside the set, a Q list of another length, an
// id that does not belong to its row, or a decision that comes twice.
std::vector<metrics::Prediction> read_predictions(const std::string& path, int strategies = 8);

// Writes the file whole or not at all. Q values and returns are written so that they read back
// to the same bits; a non-finite Q becomes null (and reads back as NaN).
void write_predictions(const std::string& path, std::span<const metrics::Prediction> rows);

}  // namespace straq::results
