// Attention over packed combs, forward and backward, without autograd. Rows of a trunk see the rows
// before them, rows of a probe their part of the trunk and the probe itself, and all of them the
// prefix that the batch's trunks share. On a CPU the scores of a block of queries are computed only
// up to the last key that one of them sees; on a device libtorch's fused attention does the work,
// causal for a trunk and with a mask for its probes.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "kernel/row_ops.h"
#include "model/comb_batch.h"

namespace straq::model {

// The queries that look at one span's keys. Columns of a query are first the batch's shared prefix
// (`prefix` rows from row 0), then the span's own rows (`keys` rows from row `begin`).
struct AttentionSpan {
  std::int64_t prefix = 0;
  std::int64_t begin = 0, keys = 0;
  std::int64_t first_query = 0;                 // index of its first query in q
  std::vector<kernel::VisibleColumns> visible;  // one per query, in the order of q
  // What the queries that are not part of a causal square see, as a mask on the device, made where
  // it is first needed: all layers of a pass and its backward share it.
  mutable at::Tensor mask;
};
using AttentionPlan = std::vector<AttentionSpan>;

// Every row of the batch asks; q has the rows of the batch.
AttentionPlan full_plan(const CombBatch& batch);
// Only `rows` ask (ascending, without repetition): q has these rows.
AttentionPlan plan_for(const CombBatch& batch, const std::vector<std::int64_t>& rows);

// What attention reads: q [queries, heads * d], k and v [rows, kv_heads * d]; rows may be strided.
// Query head h reads kv head h / (heads / kv_heads).
struct AttentionOperands {
  at::Tensor q, k, v;
  std::int64_t heads = 0, kv_heads = 0;
};
struct AttentionResult {
  at::Tensor out;  // [queries, heads * d]
  // The logarithms of the softmax's denominators, [heads, queries] in the wide type, which the
  // backward pass needs (undefined where it does not).
  at::Tensor log_sum;
};
struct AttentionGradients {
  at::Tensor q, k, v;  // shapes of the operands, rows may be strided
};

// softmax(q k^T / sqrt(d)) v over the visible columns.
AttentionResult comb_attention(const AttentionOperands& in, const AttentionPlan& plan);

// From g = d loss / d out: writes d loss / d q, k, v into `d`; every row of d.k and d.v that the
// plan names is overwritten, others are left alone.
void comb_attention_backward(const at::Tensor& g, const AttentionOperands& in,
                             const AttentionResult& result, const AttentionPlan& plan,
                             const AttentionGradients& d);

}  // namespace straq::model
