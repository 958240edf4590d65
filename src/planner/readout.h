// How Q(s, a) is read from a model's outputs at the probe, and which strategy it chooses.
//
// The paper says "averaged logits of the action tokens"; its released code reads a softmax over the
// whole vocabulary. Both are here, with two relatives; docs/ambiguities.md says what each implies.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/fields.h"
#include "model/llama.h"

namespace straq::planner {

enum class Readout {
  mean_logit,      // mean raw logit over the option's tokens (one token: its logit)
  vocab_prob,      // softmax over the whole vocabulary, at the option's token
  vocab_logprob,   // its logarithm
  option_logprob,  // log-softmax over the options alone
  value_head,      // a linear unit on the last hidden state
  state_head,      // a network of its own on the hidden state, with an output for each option
};

struct QConfig {
  Readout readout = Readout::mean_logit;
  std::int64_t head_width = 0;  // units of the state head's hidden layer; 0: it is linear
  // Above 0: the state head gives a distribution of each value over so many equal parts of
  // [-head_most, head_most] (0: the largest return of the reward), for learn.loss: hl_gauss and
  // two_hot; Q is its mean.
  std::int64_t head_bins = 0;
  double head_most = 0;
  // What a strategy's share of the train split takes from its value where strategies are compared:
  // Q - prior log share. A planner of cross-entropy that was trained on unequal shares chooses with
  // 1 as if they had been equal (Menon et al. 2021). 0: nothing.
  double prior = 0;
  void fields(config::Fields& f) {
    f.choice("readout", readout,
             {{"mean_logit", Readout::mean_logit},
              {"vocab_prob", Readout::vocab_prob},
              {"vocab_logprob", Readout::vocab_logprob},
              {"option_logprob", Readout::option_logprob},
              {"value_head", Readout::value_head, false},
              {"state_head", Readout::state_head}});
    f("head_width", head_width, config::between(0, 65536));
    f("head_bins", head_bins, config::between(0, 4096));
    f("head_most", head_most, config::at_least(0));
    f("prior", prior, config::between(0, 10));
  }
};

// What q.prior adds to the values of the options: -prior log share, less its mean over the options,
// from how often each is the expert's (each once more than counted, so that none is never). Empty
// for a prior of 0.
std::vector<double> option_shift(double prior, const std::vector<std::int64_t>& counts);

// True when a readout needs the logits of the whole vocabulary.
bool needs_vocabulary(Readout readout);

// Q from logits. `option_logits` [n, K]: the options' logits; `vocab_logsumexp` [n]: log of the sum
// of exponentials over the whole vocabulary (needed where needs_vocabulary). Result [n, K] in the
// precision of the logits, at least fp32.
at::Tensor q_from_logits(Readout readout, const at::Tensor& option_logits,
                         const at::Tensor& vocab_logsumexp);

// Q of every probe of a batch, [probes, K], in the order of batch.readout_rows. `option_ids` int64
// [K] on the model's device.
at::Tensor q_values(const model::Llama& model, const model::CombBatch& batch,
                    const at::Tensor& option_ids, Readout readout);
// The same from hidden states [n, hidden] at the probes' last tokens.
at::Tensor q_of_hidden(const model::Llama& model, const at::Tensor& hidden,
                       const at::Tensor& option_ids, Readout readout);

// Rows of options [n, K] as rows of strategies: where `labels` (int64 [n, K], prompt::Comb::labels)
// says which option each strategy is; undefined: they are the same.
at::Tensor by_strategy(const at::Tensor& of_options, const at::Tensor& labels);

}  // namespace straq::planner
