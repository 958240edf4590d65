// Learners for the tests, on the combs and models of tests/planner/combs.h.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "comm/collectives/collectives.h"
#include "learn/learner.h"
#include "learn/rewards/imitation.h"
#include "planner/ask.h"
#include "tests/planner/combs.h"

namespace straq::learn::testing {

using straq::testing::device;

using planner::testing::kOptions;
using planner::testing::kVocab;
using planner::testing::partly_labelled;
using planner::testing::random_combs;
using planner::testing::random_model;
using planner::testing::random_tokens;
using planner::testing::small_shape;

// The settings of the default reward.
inline ImitationReward& imitation(LearnConfig& config) {
  return config.reward.settings<ImitationReward>();
}

inline LearnConfig plain_config() {
  LearnConfig config;
  config.lr = 1e-3;
  config.lr_min = 1;
  config.warmup = 0;
  config.clip = 0;
  return config;
}

// Q of every decision of `combs` by the learner's group. Collective.
inline at::Tensor evaluated(Learner& learner, const std::vector<prompt::Comb>& combs) {
  auto& group = learner.group();
  at::Tensor q = planner::ask(learner.reading(), combs, group.rank(), group.size());
  group.allreduce_sum(q);
  return q;
}

}  // namespace straq::learn::testing
