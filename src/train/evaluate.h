// From Q values to predictions and evaluation.json, and the planner as files.
#pragma once

#include <string>
#include <vector>

#include "comm/collectives/collectives.h"
#include "core/run_inputs.h"
#include "experiment/experiment.h"
#include "metrics/predictions.h"
#include "metrics/strategy_metrics.h"
#include "planner/ask.h"
#include "planner/card.h"
#include "results/run_folder.h"
#include "shard/dataset.h"

namespace straq::train {

// A split's decisions as prediction rows with nothing chosen, as metrics::gold_rows makes them of
// episodes.
std::vector<metrics::Prediction> rows_of(const std::vector<prompt::Comb>& combs);
// The same where a dialogue's decisions may be dealt among the splits (data.split: sample_level):
// `index` and `of` count the decisions of the dialogue in all splits of `data`, so that two that
// are neighbours in the split are neighbours by number only where they are in the dialogue. Where
// data.limit has cut decisions off that lay between two, their numbers leave a gap, too.
std::vector<metrics::Prediction> rows_of(const std::vector<prompt::Comb>& combs,
                                         const shard::DatasetView& data,
                                         const dialogue::DataConfig& config);

// What an evaluation during training tells; fractions.
struct ValidationScores : metrics::StrategyScores {
  std::int64_t decisions = 0;
};
// Every learner of the group calls it and gets the same scores. Throws SharedFailure, on all, for a
// split that the data set lacks and for whatever one of them cannot do.
// `pack_of`: how the split's batches are packed; every learner calls it. Without: plainly.
ValidationScores validate(const planner::Reading& reading, const shard::DatasetView& data,
                          const std::string& split, comm::Collectives& group,
                          const planner::PackOfSplit& pack_of = {});

// Q of every decision of `splits`, asked by the group's learners together; the leader writes
// predictions/<split>.jsonl and evaluation.json. Every learner of the group calls it. Throws as
// validate() does; a split without decisions is one that cannot be scored.
void evaluate_splits(const planner::Reading& reading, const shard::DatasetView& data,
                     const experiment::ExperimentConfig& config,
                     const std::vector<std::string>& splits, const results::RunFolder& folder,
                     comm::Collectives& group, const planner::PackOfSplit& pack_of = {});

// planner::option_shift by the train split's decisions.
std::vector<double> shift_of(const planner::QConfig& q, const shard::DatasetView& data);

// What the planner's folder will hold beside the weights: the config's prompt, strategies and
// readout, and the files of `tokenizer`. Throws Error(input) where these are no longer what the
// shards were made with.
planner::Companions gather_companions(const experiment::ExperimentConfig& config,
                                      const shard::DatasetView& data, const std::string& tokenizer,
                                      const RunInputs& inputs);
// Weights as a Hugging Face folder. Where an adapter was trained its products are in them, and the
// folder's `adapter` holds it alone, for the model `base`.
void save_weights(const model::Llama& model, const std::string& folder, const std::string& base);
// The trained planner: a Hugging Face folder with its companions beside it, which is all that is
// needed to ask it again (planner::Planner::open).
void save_planner(const model::Llama& model, const planner::Companions& companions,
                  const std::string& folder, const std::string& base = {});

}  // namespace straq::train
