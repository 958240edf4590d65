// Asking a planner about many dialogues that go on in step. What has been read of a dialogue stays
// in a cache of keys and values, so a turn costs its own tokens and not those of all before it, and
// what all dialogues begin with is read once.
//
//   InStep asked(planner);
//   const at::Tensor q = asked.q_next({{7, &history7}, {9, &history9}});  // [2, K]
//   asked.forget(7);  // it is over
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "model/inference/inference_model.h"
#include "planner/planner.h"

namespace straq::planner {

class InStep {
 public:
  // Reads the weights of the planner's folder once more, packed for asking; on a CPU everything is
  // computed in fp32. `dialogues` is how many may be in progress at a time. The planner has to
  // outlive it. Throws what opening weights throws.
  InStep(const Planner& planner, int dialogues, at::Device device = at::kCPU);

  // Q of the supporter turn that comes next in each dialogue, [dialogues, K] fp32 on the host; a
  // dialogue has a number of the caller's own. Equals Planner::q_next to rounding, also beyond the
  // window, where a dialogue is read anew without its oldest turns. Throws Error(input) unless the
  // seeker spoke last, and std::length_error for more dialogues than said.
  at::Tensor q_next(const std::vector<std::pair<int, const dialogue::Episode*>>& histories);
  void forget(int dialogue);

  // Tokens that went through the model so far.
  std::int64_t tokens_read() const { return tokens_read_; }

 private:
  struct Progress {
    model::Cache::Sequence sequence = 0;
    std::vector<text::TokenId> tokens;  // that the sequence holds
  };
  model::Append more_of(int dialogue, const dialogue::Episode& history,
                        std::vector<model::Append>& first);

  const Planner& planner_;
  model::InferenceModel model_;
  model::Cache cache_;
  at::Tensor option_ids_;
  bool begun_ = false;
  Progress beginning_;  // of all dialogues
  std::map<int, Progress> dialogues_;
  std::int64_t tokens_read_ = 0;
};

}  // namespace straq::planner
