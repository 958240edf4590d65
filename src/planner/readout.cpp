#include "planner/readout.h"

#include <cmath>
#include <stdexcept>

namespace straq::planner {

std::vector<double> option_shift(double prior, const std::vector<std::int64_t>& counts) {
  std::vector<double> out;
  if (prior == 0) return out;
  double mean = 0;
  for (const auto n : counts) {
    out.push_back(-prior * std::log(static_cast<double>(n) + 1));
    mean += out.back() / static_cast<double>(counts.size());
  }
  for (double& x : out) x -= mean;
  return out;
}

bool needs_vocabulary(Readout readout) {
  return readout == Readout::vocab_prob || readout == Readout::vocab_logprob;
}

at::Tensor q_from_logits(Readout readout, const at::Tensor& option_logits,
                         const at::Tensor& vocab_logsumexp) {
  // Gaps between options are a few tenths: reading them in bf16 would decide by rounding.
  const at::Tensor logits =
      option_logits.scalar_type() == at::kDouble ? option_logits : option_logits.to(at::kFloat);
  switch (readout) {
    case Readout::mean_logit:
      return logits;
    case Readout::vocab_prob:
      return (logits - vocab_logsumexp.unsqueeze(1)).exp();
    case Readout::vocab_logprob:
      return logits - vocab_logsumexp.unsqueeze(1);
    case Readout::option_logprob:
      return at::log_softmax(logits, 1);
    case Readout::value_head:
    case Readout::state_head:
      break;
  }
  throw std::logic_error("a head's values are not read from logits");
}

at::Tensor q_of_hidden(const model::Llama& model, const at::Tensor& hidden,
                       const at::Tensor& option_ids, Readout readout) {
  if (readout == Readout::state_head) return model.state_values(hidden);
  if (!needs_vocabulary(readout)) {
    return q_from_logits(readout, model.logits_of(hidden, option_ids), {});
  }
  at::Tensor logits = model.logits(hidden);
  if (logits.scalar_type() != at::kDouble) logits = logits.to(at::kFloat);
  return q_from_logits(readout, logits.index_select(1, option_ids), at::logsumexp(logits, {1}));
}

at::Tensor by_strategy(const at::Tensor& of_options, const at::Tensor& labels) {
  return labels.defined() ? of_options.gather(1, labels) : of_options;
}

at::Tensor q_values(const model::Llama& model, const model::CombBatch& batch,
                    const at::Tensor& option_ids, Readout readout) {
  return q_of_hidden(model, model.hidden(batch, batch.readout_rows), option_ids, readout);
}

}  // namespace straq::planner
