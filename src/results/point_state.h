// Where a point of an experiment stands. There is one list of states; who looks decides how much of
// it can be told: the report knows a run folder's markers and nothing of who is alive, a sweep
// (results/sweep_state.h) also asks for locks and checkpoints.
#pragma once

#include <string>

namespace straq::results {

enum class PointState {
  missing,     // no folder; to a sweep also one with nothing to go on from
  unfinished,  // a folder without a marker: running, stopped or killed. Only by markers
  running,     // somebody alive holds the folder
  stopped,     // there is a checkpoint to go on from
  done,        // DONE is there
  failed,      // FAILED is there
};

// The word of index.csv and of `straq sweep --status`.
const char* name(PointState state);
// The word of the report, which calls a point without a folder "not started".
std::string to_word(PointState state);

// By the folder and its markers alone: missing, unfinished, done or failed.
PointState marked_state(const std::string& run_folder);

}  // namespace straq::results
