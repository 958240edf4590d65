// The pieces of a decoder layer that are not matrix products: RMSNorm, rotary embedding, SwiGLU and
// the attention of packed combs. Each is one node of the autograd graph where the plain composition
// would be several with their saved copies.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "model/comb_batch.h"

namespace straq::model {

// weight * x / sqrt(mean(x^2) + eps) over the last dimension (Zhang and Sennrich 2019). x [n, d],
// weight [d], both of one dtype; statistics in fp32 when that dtype is lower.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// cos and sin of every row's rotation, [n, 1, d/2] each in `dtype`: angles are position times
// frequency in fp32, as Hugging Face computes them. positions int64 [n], frequencies fp32 [d/2].
struct RotaryTable {
  at::Tensor cos, sin;
  RotaryTable select(const at::Tensor& rows) const;
};
RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype);

// Rotates the pairs (x[i], x[i + d/2]) of every head: x [n, heads, d] (Su et al. 2021, in the
// half-split order of Hugging Face's checkpoints).
at::Tensor rotate(const at::Tensor& x, const RotaryTable& table);

// silu(gate) * up (Shazeer 2020), both [n, d] contiguous. Keeps the two inputs alone for the
// backward and works through the rows in pieces that stay in the cache: the plain composition is
// bound by memory.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// What the attention of a packed batch needs beside q, k, v: for each span, how many of its trunk
// and probe rows ask (all, or only some in the last layer), and the additive mask of the latter.
struct AttentionSpan {
  std::int64_t trunk = 0, probes = 0;                 // rows that give keys and values
  std::int64_t trunk_queries = 0, probe_queries = 0;  // trunk_queries is 0 or trunk
  at::Tensor mask;                                    // [probe_queries, trunk + probes], 0 or -inf
};
using AttentionPlan = std::vector<AttentionSpan>;

// Everybody asks.
AttentionPlan full_plan(const CombBatch& batch, at::ScalarType dtype);

// Scaled dot-product attention of each span by itself: trunk rows causally among themselves, probe
// rows by their mask over the span. Query rows lie span after span, a span's trunk before its
// probes. q [queries, heads, d]; k, v [rows, kv_heads, d]; returns [queries, heads * d].
at::Tensor comb_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionPlan& plan);

}  // namespace straq::model
