// Attention of new tokens over a cache: each row sees its own sequence up to itself. Rows that
// stand beside each other and share pages ask them together, so the keys and values of a common
// beginning are read once for all sequences that go on from it.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/inference/cache.h"

namespace straq::model {

// The rows of a pass: of each its sequence's pages and its position.
struct CachedRows {
  std::vector<const std::vector<std::int32_t>*> tables;
  std::vector<std::int64_t> positions;
};

// Writes keys and values of the rows, k and v [n, kv_heads * head_dim] (rows may be strided), into
// their places of one layer, and makes the copies that forked sequences wait for.
void write_cache(const Cache& cache, std::int64_t layer, const CachedRows& rows,
                 const at::Tensor& k, const at::Tensor& v);

// softmax(q k^T / sqrt(d)) v of the rows `asking` (indices into `rows`; q has these rows in this
// order, [asking, heads * head_dim], rows may be strided). Query head h reads key head
// h / (heads / kv_heads). Returns [asking, heads * head_dim]. On a CPU a row's result depends on
// its own sequence alone, to the bit.
at::Tensor cached_attention(const Cache& cache, std::int64_t layer, const CachedRows& rows,
                            std::span<const std::int64_t> asking, const at::Tensor& q,
                            std::int64_t heads);

}  // namespace straq::model
