// The decoder's layers over a packed batch, forward and backward, on a tape of our own. Autograd
// would keep a dozen tensors a layer, make a temporary of every gradient and add it afterwards;
// here the queries, keys and values are one product, as are gate and up, weight gradients are
// summed in place by the product that makes them, and what is cheap to compute again is not kept.
// In the last layer only the rows that are read have queries, attention outputs and an MLP; in the
// first, rows of the same token share their norm and their query, key and value products.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/attention.h"
#include "model/comb_batch.h"
#include "model/layers.h"
#include "model/linear.h"

namespace straq::model {

// Views into the parameters' buffers, or into their gradients: the same layout twice. What is not
// trained has no gradient: an undefined tensor.
struct LayerTensors {
  at::Tensor input_norm;  // [hidden]
  Linear qkv;             // [(heads + 2 kv_heads) d, hidden]: query, key and value weights
  Linear o;               // [hidden, heads d]
  at::Tensor post_norm;   // [hidden]
  Linear gate_up;         // [2 inner, hidden]
  Linear down;            // [hidden, inner]
};
struct DecoderTensors {
  at::Tensor embedding;  // [vocab, hidden]
  std::vector<LayerTensors> layers;
  at::Tensor final_norm;  // [hidden]
};

struct DecoderShape {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double norm_eps = 1e-5;
};

// What a backward pass needs of one layer, with n rows.
struct LayerTape {
  at::Tensor x;             // [n, hidden] into the layer; none where the first layer is shared
  at::Tensor input_scale;   // [n], or [tokens] in a shared first layer
  at::Tensor qkv;           // [n, (heads + 2 kv_heads) d], rotated; in the last layer k and v alone
  at::Tensor q;             // the last layer's queries of the kept rows; elsewhere a view into qkv
  at::Tensor log_sum;       // [heads, queries]
  at::Tensor attended;      // [queries, heads d]
  at::Tensor middle;        // [queries, hidden] between attention and MLP
  at::Tensor middle_scale;  // [queries]
  at::Tensor gate_up;       // [queries, 2 inner]
};

// With `keep_tape` a backward pass can follow; with `recompute` the tape holds each layer's input
// alone and the rest is computed again when the backward pass reaches the layer. Nothing below
// layer `lowest` is trained: no tape is kept there, and the backward pass ends above it. Where the
// batch brings the states that enter that layer (CombBatch::lower_states), the pass begins there.
struct PassOptions {
  bool keep_tape = false, recompute = false;
  std::int64_t lowest = 0;
};

class DecoderPass {
 public:
  // `rows` (ascending, without repetition) are the rows to be read.
  DecoderPass(const DecoderTensors& weights, const DecoderShape& shape, const CombBatch& batch,
              const RotaryTable& table, std::vector<std::int64_t> rows, const PassOptions& options);

  // Hidden states after the final norm, [rows, hidden]. `after_layer` may be empty.
  at::Tensor forward(const std::function<void()>& after_layer);
  // The same before the final norm.
  at::Tensor states(const std::function<void()>& after_layer);

  // Called when the gradients of layer i, from the last to the lowest that is trained, and then of
  // the embedding (i = layers) have got all that this pass gives them.
  using LayerDone = std::function<void(std::int64_t layer)>;
  // Adds the gradients of g = d loss / d forward() to `gradients`. Once, after forward().
  void backward(const at::Tensor& g, const DecoderTensors& gradients, const LayerDone& done);

 private:
  at::Tensor layer_forward(std::int64_t i, const at::Tensor& x, LayerTape* tape) const;
  at::Tensor layer_backward(std::int64_t i, at::Tensor d, LayerTape& tape,
                            const LayerTensors& gradient, bool input_wanted) const;
  void share_first_projection();
  bool shared(std::int64_t i) const { return i == 0 && tokens_once_.defined(); }
  // The sums of the rows of each of tokens_once_, [tokens, width] in the wide type.
  at::Tensor sum_by_token(const at::Tensor& rows) const;
  std::int64_t first() const { return lower_states_.defined() ? options_.lowest : 0; }
  bool last(std::int64_t i) const { return i + 1 == static_cast<std::int64_t>(layers_.size()); }
  bool all_rows() const { return static_cast<std::int64_t>(rows_.size()) == row_count_; }

  // The weights' views by value: the pass may outlive the batch and the tables that it came from.
  at::Tensor embedding_, final_norm_;
  std::vector<LayerTensors> layers_;
  DecoderShape shape_;
  at::Tensor tokens_, positions_;
  RotaryTable table_;
  std::vector<std::int64_t> rows_;
  at::Tensor row_index_, row_positions_;   // rows_ as a tensor, their positions
  at::Tensor tokens_once_, row_of_token_;  // the different tokens; each row's place among them
  AttentionPlan plan_, last_plan_;
  at::Tensor lower_states_;
  std::int64_t row_count_;
  PassOptions options_;
  std::vector<LayerTape> tape_;
  at::Tensor final_input_, final_scale_;
};

}  // namespace straq::model
