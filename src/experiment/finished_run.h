// Whether a run folder holds this very run, finished.
#pragma once

#include "config/value.h"
#include "core/run_inputs.h"
#include "results/run_folder.h"

namespace straq::experiment {

// DONE is there. Throws Error(input) naming what has changed when the run that ended here was one
// of other inputs: results of two experiments would be taken for one. `anyway`: it is taken for
// this one, and its provenance.json says so from now on. A run whose version did not note its
// inputs is compared by its config.
bool done_with(const results::RunFolder& run, const config::Value& config, const RunInputs& inputs,
               bool anyway = false);

}  // namespace straq::experiment
