#include "model/inference/cached_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "kernel/panel_ops.h"
#include "model/parallel_tasks.h"
#include "model/row_kernels.h"
#include "model/scratch.h"

namespace straq::model {
namespace {

constexpr auto kPage = Cache::kPage;
// Rows of a task: as many as share pages in practice (a decision's strategies, a piece of a
// prompt), few enough that two threads find work in a small batch.
constexpr std::int64_t kRowsOfTask = 16;

enum CachedSlot { kCachedQueries, kCachedScores, kCachedSums };

// One task: the rows [first, first + count) of those that ask, of one key head.
struct Task {
  const Cache& cache;
  const CachedRows& rows;
  std::span<const std::int64_t> asking;
  std::int64_t layer, kv_head, group, d;  // `group` query heads share the key head

  const std::vector<std::int32_t>& table(std::int64_t i) const {
    return *rows.tables[static_cast<std::size_t>(asking[static_cast<std::size_t>(i)])];
  }
  std::int64_t position(std::int64_t i) const {
    return rows.positions[static_cast<std::size_t>(asking[static_cast<std::size_t>(i)])];
  }
  std::int64_t pages(std::int64_t i) const { return position(i) / kPage + 1; }

  // f(page, begin, end) for the runs of rows that have the same page as their p-th.
  template <class F>
  void for_runs(std::int64_t p, std::int64_t first, std::int64_t last, F&& f) const {
    for (auto i = first; i < last;) {
      if (p >= pages(i)) {
        ++i;
        continue;
      }
      const auto page = table(i)[static_cast<std::size_t>(p)];
      auto end = i + 1;
      while (end < last && p < pages(end) && table(end)[static_cast<std::size_t>(p)] == page) ++end;
      f(page, i, end);
      i = end;
    }
  }

  void run(std::int64_t first, std::int64_t count, const float* q, std::int64_t q_stride,
           float* out, std::int64_t out_stride) const;
};

void Task::run(std::int64_t first, std::int64_t count, const float* q, std::int64_t q_stride,
               float* out, std::int64_t out_stride) const {
  const auto& panels = kernel::panel_ops();
  const auto& row_ops = kernel::row_ops<float>();
  const auto padded = cache.padded_head_dim(), last = first + count, n = count * group;
  std::int64_t most = 0;
  for (auto i = first; i < last; ++i) most = std::max(most, pages(i));
  const auto width = most * kPage;
  float* queries = scratch<float, kCachedQueries>(n * d);
  float* scores = scratch<float, kCachedScores>(n * width);
  float* sums = scratch<float, kCachedSums>(n * padded);
  for (std::int64_t i = 0; i < count; ++i) {
    std::copy_n(q + i * q_stride + kv_head * group * d, group * d, queries + i * group * d);
  }
  const auto at_row = [&](float* base, std::int64_t i, std::int64_t stride) {
    return base + (i - first) * group * stride;
  };
  for (std::int64_t p = 0; p < most; ++p) {
    for_runs(p, first, last, [&](std::int32_t page, std::int64_t begin, std::int64_t end) {
      panels.multiply(
          at_row(queries, begin, d), d, {cache.keys(layer, kv_head, page), kPage, kPage},
          at_row(scores, begin, width) + p * kPage, width, (end - begin) * group, d, kPage, false);
    });
  }
  std::vector<float> log_sum(static_cast<std::size_t>(group));
  std::vector<float> inverse(static_cast<std::size_t>(n));
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d)));
  for (auto i = first; i < last; ++i) {
    const std::vector<kernel::VisibleColumns> visible(
        static_cast<std::size_t>(group), {static_cast<std::int32_t>(position(i) + 1), 0, 0});
    float* row = at_row(scores, i, width);
    row_ops.softmax(row, row, width, group, pages(i) * kPage, visible.data(), scale, log_sum.data(),
                    inverse.data() + (i - first) * group);
  }
  for (std::int64_t p = 0; p < most; ++p) {
    for_runs(p, first, last, [&](std::int32_t page, std::int64_t begin, std::int64_t end) {
      panels.multiply(at_row(scores, begin, width) + p * kPage, width,
                      {cache.values(layer, kv_head, page), padded, kPage},
                      at_row(sums, begin, padded), padded, (end - begin) * group, kPage, padded,
                      p > 0);
    });
  }
  for (std::int64_t i = 0; i < count; ++i) {
    row_ops.scale_rows(sums + i * group * padded, inverse.data() + i * group,
                       out + i * out_stride + kv_head * group * d, group, padded, d, d);
  }
}

// Every row's slot in the tensors of a layer.
at::Tensor slots_of(const std::vector<std::int32_t>& table, std::int64_t first, std::int64_t count,
                    at::Device device) {
  at::Tensor slots = at::empty({count}, at::kLong);
  auto* slot = slots.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = first + i;
    slot[i] = table[static_cast<std::size_t>(at / kPage)] * kPage + at % kPage;
  }
  return slots.to(device);
}

// By libtorch's attention, sequence by sequence.
at::Tensor attention_by_tensors(const Cache& cache, std::int64_t layer, const CachedRows& rows,
                                std::span<const std::int64_t> asking, const at::Tensor& q,
                                std::int64_t heads) {
  const auto d = cache.shape().head_dim, kv_heads = cache.shape().kv_heads;
  const auto n = static_cast<std::int64_t>(asking.size());
  at::Tensor out = at::empty({n, heads * d}, q.options());
  const auto row = [&](std::int64_t i) {
    return static_cast<std::size_t>(asking[static_cast<std::size_t>(i)]);
  };
  for (std::int64_t first = 0; first < n;) {
    const auto* table = rows.tables[row(first)];
    auto end = first + 1;
    while (end < n && rows.tables[row(end)] == table) ++end;
    const auto count = end - first, tokens = rows.positions[row(end - 1)] + 1;
    const auto slots = slots_of(*table, 0, tokens, cache.device());
    const auto gather = [&](const at::Tensor& from) {
      return from.index_select(0, slots)
          .transpose(0, 1)
          .repeat_interleave(heads / kv_heads, 0)
          .unsqueeze(0);
    };
    std::vector<std::int64_t> positions;
    for (auto i = first; i < end; ++i) positions.push_back(rows.positions[row(i)]);
    const auto options = at::TensorOptions().dtype(at::kLong).device(cache.device());
    const auto seen = at::arange(tokens, options)
                          .unsqueeze(0)
                          .le(at::tensor(positions, at::kLong).to(cache.device()).unsqueeze(1));
    const auto queries =
        q.narrow(0, first, count).reshape({count, heads, d}).transpose(0, 1).unsqueeze(0);
    out.narrow(0, first, count)
        .copy_(at::scaled_dot_product_attention(queries, gather(cache.key_slots(layer)),
                                                gather(cache.value_slots(layer)), seen)
                   .squeeze(0)
                   .transpose(0, 1)
                   .reshape({count, heads * d}));
    first = end;
  }
  return out;
}

}  // namespace

void write_cache(const Cache& cache, std::int64_t layer, const CachedRows& rows,
                 const at::Tensor& k, const at::Tensor& v) {
  const auto n = k.size(0), d = cache.shape().head_dim, kv_heads = cache.shape().kv_heads;
  const auto page_of = [&](std::int64_t i) {
    const auto r = static_cast<std::size_t>(i);
    return (*rows.tables[r])[static_cast<std::size_t>(rows.positions[r] / kPage)];
  };
  if (!cache.by_kernels()) {
    at::Tensor slots = at::empty({n}, at::kLong);
    for (std::int64_t i = 0; i < n; ++i) {
      slots.mutable_data_ptr<std::int64_t>()[i] =
          page_of(i) * kPage + rows.positions[static_cast<std::size_t>(i)] % kPage;
    }
    slots = slots.to(cache.device());
    auto keys = cache.key_slots(layer), values = cache.value_slots(layer);
    keys.index_copy_(0, slots, k.reshape({n, kv_heads, d}));
    values.index_copy_(0, slots, v.reshape({n, kv_heads, d}));
  } else {
    const float* key = k.const_data_ptr<float>();
    const float* value = v.const_data_ptr<float>();
    const auto k_stride = k.stride(0), v_stride = v.stride(0), padded = cache.padded_head_dim();
    for_rows(n, 2 * kv_heads * d, [&](std::int64_t first, std::int64_t count) {
      for (auto i = first; i < first + count; ++i) {
        const auto page = page_of(i);
        const auto slot = rows.positions[static_cast<std::size_t>(i)] % kPage;
        for (std::int64_t head = 0; head < kv_heads; ++head) {
          float* to = cache.keys(layer, head, page) + slot;
          const float* from = key + i * k_stride + head * d;
          for (std::int64_t j = 0; j < d; ++j) to[j * kPage] = from[j];
          std::copy_n(value + i * v_stride + head * d, d,
                      cache.values(layer, head, page) + slot * padded);
        }
      }
    });
  }
  cache.copy_pages(layer);
}

at::Tensor cached_attention(const Cache& cache, std::int64_t layer, const CachedRows& rows,
                            std::span<const std::int64_t> asking, const at::Tensor& q,
                            std::int64_t heads) {
  if (!cache.by_kernels()) return attention_by_tensors(cache, layer, rows, asking, q, heads);
  const auto n = static_cast<std::int64_t>(asking.size());
  const auto d = cache.shape().head_dim, kv_heads = cache.shape().kv_heads;
  at::Tensor out = at::empty({n, heads * d}, q.options());
  const auto chunks = (n + kRowsOfTask - 1) / kRowsOfTask;
  for_tasks(chunks * kv_heads, [&](std::int64_t task) {
    const auto first = task / kv_heads * kRowsOfTask;
    const Task t{.cache = cache,
                 .rows = rows,
                 .asking = asking,
                 .layer = layer,
                 .kv_head = task % kv_heads,
                 .group = heads / kv_heads,
                 .d = d};
    t.run(first, std::min(kRowsOfTask, n - first), q.const_data_ptr<float>() + first * q.stride(0),
          q.stride(0), out.mutable_data_ptr<float>() + first * heads * d, heads * d);
  });
  return out;
}

}  // namespace straq::model
