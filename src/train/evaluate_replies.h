// How well a responder predicts the replies of the corpus: mean negative log-likelihood and
// perplexity of the tokens that it is trained on.
#pragma once

#include <string>
#include <vector>

#include "comm/collectives/collectives.h"
#include "planner/ask.h"
#include "results/rows/reply_loss.h"
#include "results/run_folder.h"
#include "shard/dataset.h"

namespace straq::train {

// Of a split, by the learners together; the same numbers on every one of them. Throws
// SharedFailure, on all, for a split that the data set lacks or that has no decision, and for
// whatever one of them cannot do. `pack_of`: how the split's batches are packed; without: plainly.
results::ReplyLoss reply_loss(const planner::Reading& reading, const shard::DatasetView& data,
                              const std::string& split, comm::Collectives& group,
                              const planner::PackOfSplit& pack_of = {});

// Of `splits`; the leader writes reply_loss.json, where splits that are not asked for now keep what
// they have. Every learner of the group calls it. Throws as reply_loss does.
void evaluate_replies(const planner::Reading& reading, const shard::DatasetView& data,
                      const std::vector<std::string>& splits, const results::RunFolder& folder,
                      comm::Collectives& group, const planner::PackOfSplit& pack_of = {});

}  // namespace straq::train
