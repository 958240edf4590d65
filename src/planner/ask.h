// Asking a model about the decisions of many dialogues: forward passes alone, without gradients or
// a second network. Training asks in this way when it validates, and so does whoever holds a
// planner.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/llama.h"
#include "planner/pack.h"
#include "planner/readout.h"
#include "prompt/comb.h"

namespace straq::planner {

// A model and how Q is read from it. Refers to the model.
struct Reading {
  const model::Llama& model;
  at::Tensor option_ids;  // int64 [K], in the strategies' order, on the model's device
  Readout readout = Readout::mean_logit;
  std::int64_t micro_tokens = 8192;  // of a forward pass, at most
  std::vector<double> shift = {};    // added to the options' values (option_shift); empty: nothing
};

// Which option each strategy is at every probe of the selections, int64 [probes, options] on the
// host; undefined where no dialogue shuffles them.
at::Tensor labels_of(const std::vector<model::CombSelection>& selections, std::int64_t options);

// Q of every decision of `combs`, shifted, [decisions, K] fp32 in order, on the host. The dialogues
// are divided among `size` who ask (planner/balance.h): this gives the rows of `rank` and zeros in
// the others' places, so that the sum over all is everybody's rows. Throws what `pack` and
// Llama::hidden do.
at::Tensor ask(const Reading& reading, const std::vector<prompt::Comb>& combs, int rank = 0,
               int size = 1, const Pack& pack = pack_plainly);

// The strategy that Q chooses: the first of the greatest, -1 where a value is not finite.
int choice(std::span<const float> q);

}  // namespace straq::planner
