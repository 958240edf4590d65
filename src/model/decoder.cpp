#include "model/decoder.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "model/matrix_product.h"
#include "model/row_kernels.h"

namespace straq::model {
namespace {

// Calls f(first, count) for pieces of rows: as few as bound the memory of what lies between two
// products, as many as each of them needs to be worth packing the weights for it. On a device all
// rows are one piece.
template <class F>
void for_pieces(const at::Tensor& x, F&& f) {
  constexpr std::int64_t rows_a_thread = 2048;
  const auto rows = x.size(0);
  const std::int64_t piece = x.is_cpu() ? rows_a_thread * at::get_num_threads() : rows;
  for (std::int64_t first = 0; first < rows; first += piece) {
    f(first, std::min(piece, rows - first));
  }
}

}  // namespace

DecoderPass::DecoderPass(const DecoderTensors& weights, const DecoderShape& shape,
                         const CombBatch& batch, const RotaryTable& table,
                         std::vector<std::int64_t> rows, const PassOptions& options)
    : embedding_(weights.embedding),
      final_norm_(weights.final_norm),
      layers_(weights.layers),
      shape_(shape),
      tokens_(batch.tokens),
      positions_(batch.positions),
      table_(table),
      rows_(std::move(rows)),
      lower_states_(batch.lower_states),
      row_count_(batch.rows),
      options_(options) {
  if (first() < static_cast<std::int64_t>(layers_.size())) {
    plan_ = full_plan(batch);
    last_plan_ = plan_for(batch, rows_);
  }
  row_index_ = on_device(at::tensor(rows_, at::kLong), tokens_.device());
  row_positions_ = positions_.index_select(0, row_index_);
  if (first() == 0 && (layers_.size() > 1 || all_rows())) share_first_projection();
}

// What enters the first layer is the embedding of a row's token and nothing else, so rows of one
// token have one norm and one product there; the rotation by position comes after it. A device
// would have to tell the host how many tokens there are before anything else can start.
void DecoderPass::share_first_projection() {
  if (!has_row_kernels(embedding_)) return;
  auto [different, row_of, counts] = at::_unique2(tokens_, /*sorted=*/true,
                                                  /*return_inverse=*/true);
  if (4 * different.size(0) > 3 * row_count_) return;  // hardly any repeats
  tokens_once_ = different;
  row_of_token_ = row_of;
}

at::Tensor DecoderPass::states(const std::function<void()>& after_layer) {
  c10::NoGradGuard no_grad;
  const bool recompute = options_.recompute;
  at::Tensor x = lower_states_.defined() ? lower_states_ : embedding_.index_select(0, tokens_);
  const auto layers = static_cast<std::int64_t>(layers_.size());
  tape_.resize(layers_.size());
  for (std::int64_t i = first(); i < layers; ++i) {
    LayerTape& tape = tape_[static_cast<std::size_t>(i)];
    const bool taped = options_.keep_tape && i >= options_.lowest;
    // The first layer's input can be looked up again.
    if (taped && (recompute || !shared(i))) tape.x = x;
    x = layer_forward(i, x, taped && !recompute ? &tape : nullptr);
    if (after_layer) after_layer();
  }
  // No layer has left the other rows out.
  if (first() == layers && !all_rows()) x = x.index_select(0, row_index_);
  return x;
}

at::Tensor DecoderPass::forward(const std::function<void()>& after_layer) {
  c10::NoGradGuard no_grad;
  const at::Tensor x = states(after_layer);
  at::Tensor scale;
  at::Tensor out = rms_norm(x, final_norm_, shape_.norm_eps, scale);
  if (options_.keep_tape) {
    final_input_ = x;
    final_scale_ = scale;
  }
  return out;
}

at::Tensor DecoderPass::layer_forward(std::int64_t i, const at::Tensor& x, LayerTape* tape) const {
  const LayerTensors& w = layers_[static_cast<std::size_t>(i)];
  const auto heads = shape_.heads, kv_heads = shape_.kv_heads, d = shape_.head_dim;
  const auto q_width = heads * d, kv_width = kv_heads * d;
  const bool some = last(i) && !all_rows();
  LayerTape local;
  LayerTape& t = tape ? *tape : local;

  at::Tensor h = rms_norm(shared(i) ? embedding_.index_select(0, tokens_once_) : x, w.input_norm,
                          shape_.norm_eps, t.input_scale);
  at::Tensor k, v, residual = x;
  if (some) {
    // Keys and values of all rows, queries of those that are read.
    t.qkv = apply(w.qkv.narrow(q_width, 2 * kv_width), h);
    k = t.qkv.narrow(1, 0, kv_width);
    v = t.qkv.narrow(1, kv_width, kv_width);
    rotate_(k, kv_heads, table_, positions_);
    t.q = apply(w.qkv.narrow(0, q_width), h.index_select(0, row_index_));
    rotate_(t.q, heads, table_, row_positions_);
    residual = x.index_select(0, row_index_);
  } else {
    t.qkv = apply(w.qkv, h);
    if (shared(i)) t.qkv = t.qkv.index_select(0, row_of_token_);
    // Queries and keys lie side by side and turn alike.
    rotate_(t.qkv.narrow(1, 0, q_width + kv_width), heads + kv_heads, table_, positions_);
    t.q = t.qkv.narrow(1, 0, q_width);
    k = t.qkv.narrow(1, q_width, kv_width);
    v = t.qkv.narrow(1, q_width + kv_width, kv_width);
  }
  h = at::Tensor();
  AttentionResult attention =
      comb_attention({t.q, k, v, heads, kv_heads}, last(i) ? last_plan_ : plan_);
  t.attended = std::move(attention.out);
  t.log_sum = std::move(attention.log_sum);
  if (!tape) t.qkv = t.q = k = v = at::Tensor();
  t.middle = at::empty_like(residual);
  add_apply_out(t.middle, residual, w.o, t.attended);
  if (!tape) t.attended = residual = at::Tensor();

  const auto n = t.middle.size(0), inner = w.down.weight.size(1);
  at::Tensor out = tape ? at::empty_like(t.middle) : t.middle;
  if (tape) {
    t.middle_scale = at::empty({n}, t.middle.options().dtype(wide_type(t.middle.scalar_type())));
    t.gate_up = at::empty({n, 2 * inner}, t.middle.options());
  }
  for_pieces(t.middle, [&](std::int64_t first, std::int64_t count) {
    const auto middle = t.middle.narrow(0, first, count);
    at::Tensor scale;
    const at::Tensor normed = rms_norm(middle, w.post_norm, shape_.norm_eps, scale);
    at::Tensor gate_up;
    if (tape) {
      t.middle_scale.narrow(0, first, count).copy_(scale);
      gate_up = t.gate_up.narrow(0, first, count);
      apply_out(gate_up, w.gate_up, normed);
    } else {
      gate_up = apply(w.gate_up, normed);
    }
    add_apply_out(out.narrow(0, first, count), middle, w.down, swiglu(gate_up));
  });
  return out;
}

at::Tensor DecoderPass::layer_backward(std::int64_t i, at::Tensor d, LayerTape& t,
                                       const LayerTensors& gradient, bool input_wanted) const {
  const LayerTensors& w = layers_[static_cast<std::size_t>(i)];
  const auto heads = shape_.heads, kv_heads = shape_.kv_heads, width = shape_.head_dim;
  const auto q_width = heads * width, kv_width = kv_heads * width;
  const bool some = last(i) && !all_rows();

  // MLP. d is d loss / d (layer's output) and becomes d loss / d middle.
  for_pieces(t.middle, [&](std::int64_t first, std::int64_t count) {
    const auto piece = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
    const auto d_piece = piece(d), gate_up = piece(t.gate_up), middle = piece(t.middle),
               scale = piece(t.middle_scale);
    at::Tensor g = input_gradient(w.down, d_piece);
    swiglu_backward_(gate_up, g);
    add_gradients_(gradient.down, w.down, d_piece, g);
    add_gradients_(gradient.gate_up, w.gate_up, gate_up,
                   rms_norm_again(middle, w.post_norm, scale));
    rms_norm_backward(middle, w.post_norm, scale, input_gradient(w.gate_up, gate_up), d_piece,
                      gradient.post_norm);
  });
  t.gate_up = t.middle = at::Tensor();

  // Attention. d becomes d loss / d x.
  add_gradients_(gradient.o, w.o, d, t.attended);
  at::Tensor h, d_attended = input_gradient(w.o, d);
  at::Tensor d_qkv = at::empty({t.qkv.size(0), t.qkv.size(1)}, t.qkv.options());
  const auto k_at = some ? 0 : q_width;
  const auto k = t.qkv.narrow(1, k_at, kv_width), v = t.qkv.narrow(1, k_at + kv_width, kv_width);
  at::Tensor dk = d_qkv.narrow(1, k_at, kv_width), dv = d_qkv.narrow(1, k_at + kv_width, kv_width);
  at::Tensor dq =
      some ? at::empty({t.q.size(0), t.q.size(1)}, t.q.options()) : d_qkv.narrow(1, 0, q_width);
  comb_attention_backward(d_attended, {t.q, k, v, heads, kv_heads}, {t.attended, t.log_sum},
                          last(i) ? last_plan_ : plan_, {dq, dk, dv});
  d_attended = t.attended = t.q = t.qkv = at::Tensor();
  const at::Tensor x = shared(i) ? embedding_.index_select(0, tokens_once_) : t.x;
  h = rms_norm_again(x, w.input_norm, t.input_scale);
  if (some) {
    rotate_(dq, heads, table_, row_positions_, -1);
    rotate_(dk, kv_heads, table_, positions_, -1);
    const Linear query = w.qkv.narrow(0, q_width), key_value = w.qkv.narrow(q_width, 2 * kv_width);
    add_gradients_(gradient.qkv.narrow(0, q_width), query, dq, h.index_select(0, row_index_));
    add_gradients_(gradient.qkv.narrow(q_width, 2 * kv_width), key_value, d_qkv, h);
    if (!input_wanted) return {};
    h = input_gradient(key_value, d_qkv);
    add_rows_(h, row_index_, input_gradient(query, dq));
    const at::Tensor kept = d;
    d = at::zeros({row_count_, kept.size(1)}, kept.options());
    d.index_copy_(0, row_index_, kept);
  } else {
    rotate_(d_qkv.narrow(1, 0, q_width + kv_width), heads + kv_heads, table_, positions_, -1);
    if (shared(i)) d_qkv = sum_by_token(d_qkv).to(d_qkv.scalar_type());
    add_gradients_(gradient.qkv, w.qkv, d_qkv, h);
    if (!input_wanted) return {};
    h = input_gradient(w.qkv, d_qkv);
  }
  if (shared(i)) {
    const at::Tensor through_norm = at::zeros_like(x);
    rms_norm_backward(x, w.input_norm, t.input_scale, h, through_norm, gradient.input_norm);
    d = sum_by_token(d).add_(through_norm);
  } else {
    rms_norm_backward(x, w.input_norm, t.input_scale, h, d, gradient.input_norm);
  }
  return d;
}

at::Tensor DecoderPass::sum_by_token(const at::Tensor& rows) const {
  at::Tensor sums = at::zeros({tokens_once_.size(0), rows.size(1)},
                              rows.options().dtype(wide_type(rows.scalar_type())));
  add_rows_(sums, row_of_token_, rows);
  return sums;
}

void DecoderPass::backward(const at::Tensor& g, const DecoderTensors& gradients,
                           const LayerDone& done) {
  c10::NoGradGuard no_grad;
  at::Tensor d = at::zeros_like(final_input_);
  rms_norm_backward(final_input_, final_norm_, final_scale_, g.contiguous(), d,
                    gradients.final_norm);
  final_input_ = final_scale_ = at::Tensor();
  for (auto i = static_cast<std::int64_t>(layers_.size()) - 1; i >= options_.lowest; --i) {
    LayerTape& tape = tape_[static_cast<std::size_t>(i)];
    if (options_.recompute) layer_forward(i, tape.x, &tape);
    const LayerTensors& gradient = gradients.layers[static_cast<std::size_t>(i)];
    const bool input_wanted =
        i > options_.lowest || gradients.embedding.defined() || gradient.input_norm.defined();
    d = layer_backward(i, d, tape, gradient, input_wanted);
    tape = LayerTape();
    if (done) done(i);
  }
  // One row of d a token where the first layer is shared, one a row of the batch elsewhere.
  if (gradients.embedding.defined()) {
    add_rows_(gradients.embedding, shared(0) ? tokens_once_ : tokens_, d);
  }
  if (done) done(static_cast<std::int64_t>(layers_.size()));
}

}  // namespace straq::model
