// Everything that is wrong with corpus files, listed rather than stopped at: for `straq dataset
// validate`, and for whoever repairs a corpus.
#pragma once

#include <string>
#include <vector>

#include "dialogue/readers/readers.h"

namespace straq::dialogue {

// Problems of every file in order: what the readers refuse, files that cannot be read, and
// dialogues that occur twice, in one file or in two (a dialogue in two splits leaks answers).
std::vector<Problem> find_problems(const std::vector<std::string>& paths, Format format,
                                   const StrategySet& strategies);

}  // namespace straq::dialogue
