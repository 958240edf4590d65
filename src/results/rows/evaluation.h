// evaluation.json of a run folder: metrics::Evaluation as a file.
#pragma once

#include <string>

#include "metrics/evaluation.h"

namespace straq::results {

// Throws Error(input) with file and line for bad JSON, with file and key for a bad shape, and for
// a newer format.
metrics::Evaluation read_evaluation(const std::string& path);
// Writes the file whole or not at all.
void write_evaluation(const std::string& path, const metrics::Evaluation& evaluation);

}  // namespace straq::results
