// A decoder of the Llama architecture (RMSNorm, rotary position embedding, grouped-query attention,
// SwiGLU) on libtorch tensors, with a forward pass over combs. Parameter names, layouts and
// numerics are Hugging Face's, so that weights travel both ways.
//
//   const Llama model = load_weights(open_model("models/llama-1b"), at::kFloat, at::kCPU);
//   const auto batch = pack({{&comb, {0, 1}}}, model.device());     // two of a dialogue's probes
//   const auto hidden = model.hidden(batch, batch.readout_rows);    // [2, hidden]
//   const auto q = model.logits_of(hidden, option_ids);             // [2, options]
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "model/arena.h"
#include "model/comb_batch.h"
#include "model/decoder.h"
#include "model/trained_part.h"

namespace straq::model {

// Frequency scaling of Llama 3.1 and later ("rope_type": "llama3").
struct Llama3RopeScaling {
  double factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0;
  std::int64_t original_max_positions = 8192;
  void fields(config::Fields& f) {
    f("factor", factor, config::above(0));
    f("low_freq_factor", low_freq_factor, config::above(0));
    f("high_freq_factor", high_freq_factor, config::above(0));
    f("original_max_positions", original_max_positions, config::at_least(1));
  }
};

// A network from a hidden state to numbers: linear, or with one hidden layer of SiLU units. A
// planner may have one that gives the values of its options.
struct StateHeadShape {
  std::int64_t outputs = 0;
  std::int64_t inner = 0;  // units of the hidden layer; 0: there is none
  // Above 0: each output is the mean of a distribution over so many equal parts of [-most, most],
  // whose logits are what the network gives.
  std::int64_t bins = 0;
  double most = 0;
  std::int64_t units() const { return outputs * std::max<std::int64_t>(bins, 1); }
  bool operator==(const StateHeadShape&) const = default;
};

// The middles of the parts, [bins] fp64.
at::Tensor bin_centres(const StateHeadShape& head);

struct LlamaShape {
  std::int64_t vocab = 0;  // 0 in a shape file: taken from the tokenizer
  std::int64_t hidden = 128;
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 2;
  std::int64_t head_dim = 0;  // 0: hidden / heads
  std::int64_t inner = 344;   // width of the SwiGLU
  std::int64_t max_positions = 2048;
  double rope_theta = 10000.0;
  std::optional<Llama3RopeScaling> rope_scaling;
  double norm_eps = 1e-5;
  bool tied = true;                          // the output projection is the embedding
  std::optional<StateHeadShape> state_head;  // no key of a shape's file: planners have one

  std::int64_t dim_per_head() const { return head_dim > 0 ? head_dim : hidden / heads; }
  std::int64_t parameter_count() const;
  // Multiplications of one row in the linear maps of one layer.
  double row_products() const;
  // Throws Error(input) naming the key for impossible combinations (heads % kv_heads, odd
  // head_dim).
  void check() const;

  void fields(config::Fields& f) {
    f("vocab", vocab, config::at_least(0));
    f("hidden", hidden, config::at_least(1));
    f("layers", layers, config::at_least(1));
    f("heads", heads, config::at_least(1));
    f("kv_heads", kv_heads, config::at_least(1));
    f("head_dim", head_dim, config::at_least(0));
    f("inner", inner, config::at_least(1));
    f("max_positions", max_positions, config::at_least(1));
    f("rope_theta", rope_theta, config::above(0));
    f("rope_scaling", rope_scaling);
    f("norm_eps", norm_eps, config::above(0));
    f("tied", tied);
  }
};

// The parameters of a shape in their fixed order: embedding, layers from the first, final norm and,
// where there are such, the output projection and the state head ("state_head.inner.weight",
// "state_head.out.bias").
std::vector<ParameterSpec> parameter_specs(const LlamaShape& shape);

// Angular frequency of each rotary pair, [dim_per_head / 2] fp32: theta^(-2i/d), with the llama3
// scaling where the shape has it: wavelengths longer than original / low_freq_factor are stretched
// by `factor`, those shorter than original / high_freq_factor are kept, those between are blended
// linearly in original / wavelength.
at::Tensor rope_frequencies(const LlamaShape& shape);

class Llama {
 public:
  // All weights start at zero. `part`: what training changes; the rest has no gradients. Throws
  // Error(input) where the part does not go with the shape.
  Llama(const LlamaShape& shape, at::ScalarType dtype, at::Device device, bool with_gradients,
        const TrainedPart& part = {});
  // A network of its own trained parameters, zero at first and without gradients, that shares the
  // frozen ones with this model: what a target network needs.
  std::unique_ptr<Llama> twin() const;

  const LlamaShape& shape() const { return shape_; }
  const TrainedPart& part() const { return part_; }
  // What training changes: every parameter, unless a part was named.
  ParameterArena& parameters() { return trained_; }
  const ParameterArena& parameters() const { return trained_; }
  // The rest; of no elements where everything is trained.
  const ParameterArena& frozen() const { return *frozen_; }
  at::Device device() const { return trained_.flat().device(); }
  at::ScalarType dtype() const { return trained_.flat().scalar_type(); }
  // A parameter of parameter_specs(shape()), a view into its buffer, without an adapter's product.
  // Throws std::out_of_range for another name.
  at::Tensor weight(const std::string& name) const;
  // The same with it, in the wide type where an adapter changes it: what the model computes with.
  at::Tensor merged_weight(const std::string& name) const;
  // Values of all parameters, cast. Throws Error(input) as ParameterArena::copy_from.
  void copy_from(const Llama& other);
  // SHA-256 of all parameters' bytes.
  std::string checksum() const;

  // Normal(0, std) for matrices, scaled by 1/sqrt(2 layers) for the two that write into the
  // residual stream (Radford et al. 2019), ones for norms. The values depend on the seed and the
  // parameter's name alone (CounterRng), not on libtorch's generator. An adapter's factors and a
  // state head are left alone.
  void initialise(std::uint64_t seed, double std = 0.02);
  // The state head, if any: its hidden layer's weights normal with standard deviation
  // 1/sqrt(hidden), all else zero, so that every output is zero at first.
  void initialise_state_head(std::uint64_t seed);
  // An adapter's factors: A uniform in +-1/sqrt(inputs), B zero, so that the model is at first what
  // it is without the adapter. By seed and name, as above. Does nothing without an adapter.
  void initialise_adapter(std::uint64_t seed);

  // What the frozen layers make of all rows of a batch, [batch.rows, hidden]: CombBatch's
  // lower_states. In the last layer they are what the final norm is given.
  at::Tensor lower_states(const CombBatch& batch) const;

  // Hidden states after the final norm of the rows asked for: [rows.size(), hidden]. `rows` is an
  // int64 tensor of row indices of the batch, in any order and possibly repeated; best on the host,
  // for one on a GPU is waited for. Where autograd is on and the model has gradients, backward() on
  // what follows adds to parameters().flat_grad(), which no leaf of autograd stands for. Throws
  // Error(input) when a position is beyond max_positions or a token id is outside the vocabulary.
  at::Tensor hidden(const CombBatch& batch, const at::Tensor& rows) const;

  // Rows of logits for the whole vocabulary: [n, vocab] from hidden [n, hidden], in the model's
  // precision; the caller widens what it takes a softmax of.
  at::Tensor logits(const at::Tensor& hidden) const;
  // Logits of some tokens only: [n, token_ids.numel()]; token_ids int64 [k]. Computed and returned
  // in fp32 when the model's precision is lower, because Q values are differences of them. Both
  // give gradients to the output projection when `hidden` has a history.
  at::Tensor logits_of(const at::Tensor& hidden, const at::Tensor& token_ids) const;
  // What the state head makes of hidden states [n, hidden]: [n, outputs], in fp32 or wider. Throws
  // std::logic_error for a shape without one.
  at::Tensor state_values(const at::Tensor& hidden) const;
  // The logarithms of the distributions that state_values are the means of, [n, outputs, bins].
  at::Tensor state_distributions(const at::Tensor& hidden) const;
  // Sum over rows of the cross-entropy of the whole vocabulary against `next` (int64 [n]), from
  // hidden [n, hidden], in fp32 or wider. Works through the rows in pieces, so that the logits of
  // all rows never exist at once, and takes the gradients along.
  at::Tensor cross_entropy_sum(const at::Tensor& hidden, const at::Tensor& next) const;

  // Activation recomputation: the forward pass keeps each layer's input alone, the backward pass
  // computes the rest again. Less memory for a third more forward work.
  void set_recompute(bool on) { recompute_ = on; }

  // Called during backward when [begin, end) of the flat gradient has got all that this backward
  // gives it, in the order in which that happens. The ranges cover the whole buffer once.
  using GradientDone = std::function<void(std::int64_t begin, std::int64_t end)>;
  void on_gradient(GradientDone done) { gradient_done_ = std::move(done); }

  // Called after each layer of a forward pass, for somebody who has to see to something else
  // meanwhile: messages that move only when they are asked after. Empty: nobody.
  void on_layer(std::function<void()> done) { layer_done_ = std::move(done); }

  // Ids that follow `prompt` when the most probable token is taken each time, `count` of them. Each
  // step runs the whole prefix again: meant for checks and samples, not for bulk generation.
  // Throws Error(input) for an empty prompt, and as hidden() does.
  std::vector<std::int64_t> greedy(std::vector<std::int64_t> prompt, int count) const;

 private:
  at::Tensor state_outputs(const at::Tensor& hidden) const;  // [n, units]
  Llama(const LlamaShape& shape, const TrainedPart& part, ParameterArena trained,
        std::shared_ptr<ParameterArena> frozen);
  DecoderTensors tensors(bool gradients) const;
  void report_gradient(std::int64_t layer) const;
  std::int64_t begin_of_layer(std::int64_t layer) const;
  const RotaryTable& table_for(const CombBatch& batch) const;

  LlamaShape shape_;
  TrainedPart part_;
  ParameterArena trained_;
  std::shared_ptr<ParameterArena> frozen_;
  DecoderTensors weights_, gradients_;   // views into the arenas
  at::Tensor output_, output_gradient_;  // the embedding's when tied; no gradient: not trained
  at::Tensor frequencies_;               // [dim_per_head / 2]
  // Angles of the positions met so far: one table for all of Llama 3's 131072 would cost 65 MB.
  mutable RotaryTable table_;
  bool recompute_ = false;
  GradientDone gradient_done_;
  std::function<void()> layer_done_;
};

}  // namespace straq::model
