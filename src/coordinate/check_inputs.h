// What a point will need at its end is looked for at its start: a split that is not there or has
// nothing to score must not show after hours of training.
#pragma once

#include "coordinate/dataset_job.h"
#include "experiment/experiment.h"

namespace straq::coordinate {

// Throws Error(input) naming key and split where the data set lacks a split that the config
// evaluates or one of these has no labelled decision, and where there is nothing to learn from:
// a train split without decisions for the objectives that need them, or without dialogues.
void check_inputs(const experiment::ExperimentConfig& config, const DatasetJob& data);

}  // namespace straq::coordinate
