// What a run depends on, computed in one place and by content: the data set (its bytes, tokenizer,
// prompt and rules, as the key of its shards has them), the model's resolved shape and weights, and
// every setting that changes a number. Checkpoints, DONE and planners are bound to it.
//
// Left out is what changes no number, or only its last bits: names and places of files, how many
// ranks and threads work, on what device, how gradients travel, how a batch is cut into passes
// (learn.micro_tokens), recomputation, ZeRO, how shards are cut and stored, when checkpoints are
// written, and what is evaluated and reported; the last counts where it decides on the weights
// (best.use, best.patience).
#pragma once

#include <cstdint>

#include "core/run_inputs.h"
#include "experiment/experiment.h"
#include "shard/manifest.h"

namespace straq::experiment {

// `data` and `vocab` are those of the data set's manifest. Throws Error(input) where the shape or
// the weights that the config names cannot be read. Hashes the weights of model.from, which takes
// a second a gigabyte, once.
RunInputs run_inputs(const ExperimentConfig& config, const shard::ShardKey& data,
                     std::int64_t vocab);

}  // namespace straq::experiment
