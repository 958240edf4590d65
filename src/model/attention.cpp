#include "model/attention.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>

#include "model/blas.h"
#include "model/layers.h"
#include "model/parallel_tasks.h"
#include "model/row_kernels.h"
#include "model/scratch.h"

namespace straq::model {
namespace {

using kernel::VisibleColumns;

// Rows of scores that are computed together: a block of queries, once for each query head that has
// the same keys. More rows make better products; fewer queries waste less, because a trunk's block
// computes scores up to its last query's own key, half a block too many in the mean.
constexpr std::int64_t kScoreRows = 96, kFewestQueries = 16, kMostQueries = 64;

// What a thread keeps between tasks.
enum Slot {
  kKeys,  // [keys, d]; columns: [d, keys]
  kKeyColumns,
  kValues,
  kValueColumns,
  kQueries,
  kGradients,
  kScores,
  kScoreGradients,
  kProbabilities,
  kNarrowGradients,
  kResults,
  kRowSums,
  kKeyGradients,
  kValueGradients
};

struct Block {
  std::int64_t first, count, width;  // queries of the span; columns that one of them may see
};

// `group` query heads share a key head.
std::vector<Block> blocks_of(const AttentionSpan& span, std::int64_t group) {
  const std::int64_t most = std::clamp(kScoreRows / group, kFewestQueries, kMostQueries);
  std::vector<Block> blocks;
  const auto n = static_cast<std::int64_t>(span.visible.size());
  for (std::int64_t first = 0; first < n;) {
    // A probe's row sees columns of its own beyond its limit: probes do not share a block with the
    // trunk, whose blocks are narrower.
    const auto own = [&](std::int64_t i) { return span.visible[i].own_end > 0; };
    std::int64_t count = 1;
    while (first + count < n && count < most && own(first + count) == own(first)) ++count;
    std::int64_t width = 0;
    for (std::int64_t i = first; i < first + count; ++i) {
      width = std::max<std::int64_t>({width, span.visible[i].limit, span.visible[i].own_end});
    }
    blocks.push_back({first, count, width});
    first += count;
  }
  return blocks;
}

template <class T>
struct Operand {
  T* data;
  std::int64_t stride;
  explicit Operand(const at::Tensor& x) : data(model::data<T>(x)), stride(x.stride(0)) {}
  T* at(std::int64_t row, std::int64_t column) const { return data + row * stride + column; }
};

// Rows of `from` from `first` on, the `width` columns of one head, side by side at `to`. In place
// the rows of a head are a power of two apart as often as not, and then share a few sets of the
// cache.
template <class T>
T* gather(const Operand<T>& from, std::int64_t first, std::int64_t column, std::int64_t count,
          std::int64_t width, T* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to = std::copy_n(from.at(first + i, column), width, to);
  }
  return to;
}

// The keys or values that a span's queries see, of one head: the shared prefix, then its own.
template <class T>
void gather_keys(const Operand<T>& from, const AttentionSpan& span, std::int64_t column,
                 std::int64_t width, T* to) {
  to = gather(from, 0, column, span.prefix, width, to);
  gather(from, span.begin, column, span.keys, width, to);
}

// The same with a column for each key, `stride` elements from row to row: [width, keys]. Scores are
// products with it, which BLAS does a sixth faster than those with rows of keys.
template <class T>
void gather_transposed(const Operand<T>& from, const AttentionSpan& span, std::int64_t column,
                       std::int64_t width, T* to, std::int64_t stride) {
  constexpr std::int64_t line = 64 / sizeof(T);
  const auto turn = [&](std::int64_t first, std::int64_t count, T* start) {
    for (std::int64_t i = 0; i < count; i += line) {
      const auto some = std::min(line, count - i);
      for (std::int64_t j = 0; j < width; ++j) {
        const T* source = from.at(first + i, column + j);
        for (std::int64_t c = 0; c < some; ++c) start[j * stride + i + c] = source[c * from.stride];
      }
    }
  };
  turn(0, span.prefix, to);
  turn(span.begin, span.keys, to + span.prefix);
}

// A block's rows of the `group` heads from column `column` on, one head below the other.
template <class T>
void gather_queries(const Operand<T>& from, std::int64_t row, std::int64_t column,
                    std::int64_t count, std::int64_t group, std::int64_t width, T* to) {
  for (std::int64_t h = 0; h < group; ++h) {
    to = gather(from, row, column + h * width, count, width, to);
  }
}

// The query heads that share keys and values go through the products together, as rows of one
// matrix: keys and values are read and packed once for all of them.
template <class T>
void forward(const AttentionOperands& in, const AttentionPlan& plan,
             const AttentionResult& result_) {
  using A = kernel::Accumulator<T>;
  const auto& ops = kernel::row_ops<T>();
  const Operand<T> q(in.q), k(in.k), v(in.v), out(result_.out);
  const auto heads = in.heads, kv_heads = in.kv_heads;
  const auto d = in.q.size(1) / heads, group = heads / kv_heads, queries = in.q.size(0);
  const A scale = static_cast<A>(1 / std::sqrt(static_cast<double>(d)));
  A* log_sum = data<A>(result_.log_sum);
  const auto tasks = static_cast<std::int64_t>(plan.size()) * kv_heads;
  for_tasks(tasks, [&](std::int64_t task) {
    const auto& span = plan[static_cast<std::size_t>(task / kv_heads)];
    if (span.visible.empty()) return;
    const auto kv = task % kv_heads, all = span.prefix + span.keys;
    const auto stride = (all + 15) / 16 * 16;
    T* key_columns = scratch<T, kKeyColumns>(stride * d);
    T* value = scratch<T, kValues>(all * d);
    gather_transposed(k, span, kv * d, d, key_columns, stride);
    gather_keys(v, span, kv * d, d, value);
    for (const Block& block : blocks_of(span, group)) {
      const auto n = block.count, rows = group * n, width = block.width;
      const auto* visible = span.visible.data() + block.first;
      const auto row = span.first_query + block.first;
      T* query = scratch<T, kQueries>(rows * d);
      gather_queries(q, row, kv * group * d, n, group, d, query);
      A* score = scratch<A, kScores>(rows * width);
      T* probability;
      if constexpr (std::is_same_v<T, A>) {
        probability = score;
      } else {
        probability = scratch<T, kProbabilities>(rows * width);
      }
      A* result = scratch<A, kResults>(rows * d);
      A* inverse = scratch<A, kRowSums>(rows);
      multiply(false, rows, width, d, query, d, key_columns, stride, A(0), score, width);
      for (std::int64_t h = 0; h < group; ++h) {
        ops.softmax(score + h * n * width, probability + h * n * width, width, n, width, visible,
                    scale, log_sum + (kv * group + h) * queries + row, inverse + h * n);
      }
      multiply(false, rows, d, width, probability, width, value, d, A(0), result, d);
      for (std::int64_t h = 0; h < group; ++h) {
        ops.scale_rows(result + h * n * d, inverse + h * n, out.at(row, (kv * group + h) * d), n, d,
                       out.stride, d);
      }
    }
  });
}

// Writes `count` rows of one head from the accumulator's precision to their place.
template <class T>
void write_rows(const kernel::Accumulator<T>* from, std::int64_t count, std::int64_t width,
                const Operand<T>& to, std::int64_t row, std::int64_t column) {
  using A = kernel::Accumulator<T>;
  A* ones = scratch<A, kRowSums>(count);
  std::fill_n(ones, count, A(1));
  kernel::row_ops<T>().scale_rows(from, ones, to.at(row, column), count, width, to.stride, width);
}

// Adds what all tasks gave the shared prefix. It is the first rows of k and v, and its own span
// (the first) wrote what it gave itself.
void add_shared(const at::Tensor& parts, const at::Tensor& dk, const at::Tensor& dv) {
  const at::Tensor sums = parts.sum(0);  // [kv_heads, 2, prefix, d]
  const auto prefix = sums.size(2), width = sums.size(0) * sums.size(3);
  for (int which = 0; which < 2; ++which) {
    const at::Tensor part = sums.select(1, which).transpose(0, 1).reshape({prefix, width});
    (which == 0 ? dk : dv).narrow(0, 0, prefix).add_(part);
  }
}

template <class T>
void backward(const at::Tensor& g_, const AttentionOperands& in, const AttentionResult& result_,
              const AttentionPlan& plan, const AttentionGradients& gradients) {
  using A = kernel::Accumulator<T>;
  const auto& ops = kernel::row_ops<T>();
  const Operand<T> g(g_), q(in.q), k(in.k), v(in.v), out(result_.out), dq(gradients.q),
      dk(gradients.k), dv(gradients.v);
  const auto heads = in.heads, kv_heads = in.kv_heads;
  const auto d = in.q.size(1) / heads, group = heads / kv_heads, queries = in.q.size(0);
  const A scale = static_cast<A>(1 / std::sqrt(static_cast<double>(d)));
  const A* log_sum = data<A>(result_.log_sum);
  const auto spans = static_cast<std::int64_t>(plan.size());
  std::int64_t prefix = 0;
  for (const auto& span : plan) prefix = std::max(prefix, span.prefix);
  // What each task contributes to the keys and values of the shared prefix, summed in order
  // afterwards: the result does not depend on the number of threads. [spans, kv_heads, k or v,
  // prefix, d]
  const at::Tensor shared_parts = at::zeros({spans, kv_heads, 2, prefix, d},
                                            in.q.options().dtype(wide_type(in.q.scalar_type())));
  A* shared_part = data<A>(shared_parts);
  for_tasks(spans * kv_heads, [&](std::int64_t task) {
    const auto& span = plan[static_cast<std::size_t>(task / kv_heads)];
    const auto kv = task % kv_heads, all = span.prefix + span.keys;
    const auto stride = (all + 15) / 16 * 16;
    T* key = scratch<T, kKeys>(all * d);
    T* key_columns = scratch<T, kKeyColumns>(stride * d);
    T* value_columns = scratch<T, kValueColumns>(stride * d);
    gather_keys(k, span, kv * d, d, key);
    gather_transposed(k, span, kv * d, d, key_columns, stride);
    gather_transposed(v, span, kv * d, d, value_columns, stride);
    A* dkey = scratch<A, kKeyGradients>(all * d);
    A* dvalue = scratch<A, kValueGradients>(all * d);
    std::fill_n(dkey, all * d, A(0));
    std::fill_n(dvalue, all * d, A(0));
    for (const Block& block : blocks_of(span, group)) {
      const auto n = block.count, rows = group * n, width = block.width;
      const auto* visible = span.visible.data() + block.first;
      const auto row = span.first_query + block.first;
      T* query = scratch<T, kQueries>(rows * d);
      T* grad = scratch<T, kGradients>(rows * d);
      gather_queries(q, row, kv * group * d, n, group, d, query);
      gather_queries(g, row, kv * group * d, n, group, d, grad);
      A* score = scratch<A, kScores>(rows * width);
      A* dprobability = scratch<A, kScoreGradients>(rows * width);
      T *probability, *dscore;
      if constexpr (std::is_same_v<T, A>) {
        probability = score, dscore = dprobability;
      } else {
        probability = scratch<T, kProbabilities>(rows * width);
        dscore = scratch<T, kNarrowGradients>(rows * width);
      }
      A* result = scratch<A, kResults>(rows * d);
      A* delta = scratch<A, kRowSums>(rows);
      multiply(false, rows, width, d, query, d, key_columns, stride, A(0), score, width);
      multiply(false, rows, width, d, grad, d, value_columns, stride, A(0), dprobability, width);
      for (std::int64_t h = 0; h < group; ++h) {
        const auto head = kv * group + h, from = h * n;
        for (std::int64_t i = 0; i < n; ++i) {
          ops.row_dot(grad + (from + i) * d, out.at(row + i, head * d), delta + from + i, 1, 0, d);
        }
        ops.softmax_backward(score + from * width, dprobability + from * width,
                             probability + from * width, dscore + from * width, width, n, width,
                             visible, scale, log_sum + head * queries + row, delta + from);
      }
      multiply(false, rows, d, width, dscore, width, key, d, A(0), result, d);
      add_transposed_product(rows, d, width, dscore, width, query, d, dkey, d);
      add_transposed_product(rows, d, width, probability, width, grad, d, dvalue, d);
      for (std::int64_t h = 0; h < group; ++h) {
        write_rows(result + h * n * d, n, d, dq, row, (kv * group + h) * d);
      }
    }
    A* shared_dk = shared_part + task * 2 * prefix * d;
    std::copy_n(dkey, span.prefix * d, shared_dk);
    std::copy_n(dvalue, span.prefix * d, shared_dk + prefix * d);
    write_rows(dkey + span.prefix * d, span.keys, d, dk, span.begin, kv * d);
    write_rows(dvalue + span.prefix * d, span.keys, d, dv, span.begin, kv * d);
  });
  if (prefix > 0) add_shared(shared_parts, gradients.k, gradients.v);
}

// How many of the span's queries, from its first on, are those of its rows in order, each seeing
// all that comes before it: with the prefix's queries above them they are a causal triangle.
std::int64_t causal_queries(const AttentionSpan& span) {
  const auto most = std::min(static_cast<std::int64_t>(span.visible.size()), span.keys);
  std::int64_t n = 0;
  while (n < most && span.visible[n].own_end == 0 && span.visible[n].limit == span.prefix + n + 1) {
    ++n;
  }
  return n;
}

// What the span's queries from `first` on see, [queries, prefix + keys] bool, on q's device.
at::Tensor mask_of(const AttentionSpan& span, std::int64_t first, at::Device device) {
  const auto width = span.prefix + span.keys;
  const auto n = static_cast<std::int64_t>(span.visible.size()) - first;
  at::Tensor mask = at::zeros({n, width}, at::kBool);
  bool* row = mask.data_ptr<bool>();
  for (auto i = first; i < first + n; ++i) {
    const auto& v = span.visible[i];
    std::fill_n(row, v.limit, true);
    if (v.own_end > v.own_begin) std::fill(row + v.own_begin, row + v.own_end, true);
    row += width;
  }
  return on_device(mask, device);
}

// The tensors of one span, [n, heads, d] or [n, kv_heads, d].
struct SpanTensors {
  at::Tensor q, k, v;
  at::Tensor before;  // the prefix's queries, where the span's first ones follow them
};

SpanTensors tensors_of(const AttentionPlan& plan, const AttentionSpan& span,
                       const AttentionOperands& in) {
  const auto heads = in.heads, d = in.q.size(1) / heads;
  const auto n = static_cast<std::int64_t>(span.visible.size());
  const auto keys = [&](const at::Tensor& x) {
    auto own = x.narrow(0, span.begin, span.keys);
    if (span.prefix > 0) own = at::cat({x.narrow(0, 0, span.prefix), own});
    return own.reshape({span.prefix + span.keys, in.kv_heads, d});
  };
  SpanTensors t{
      in.q.narrow(0, span.first_query, n).reshape({n, heads, d}), keys(in.k), keys(in.v), {}};
  // The prefix is the plan's first span; when only some rows ask it may have no queries.
  if (span.prefix > 0 && static_cast<std::int64_t>(plan[0].visible.size()) == span.prefix) {
    t.before = in.q.narrow(0, plan[0].first_query, span.prefix).reshape({span.prefix, heads, d});
  }
  return t;
}

// One span by libtorch's attention, in autograd's reach: the trunk's queries as a causal square,
// for which there are fast kernels on every device, the probes' few queries with a mask. The
// prefix's own queries fill the square up and their result is dropped.
at::Tensor attend(const SpanTensors& t, const AttentionSpan& span) {
  const auto queries = t.q.size(0);
  const auto triangle =
      span.prefix == 0 || t.before.defined() ? causal_queries(span) : std::int64_t{0};
  const std::int64_t group = t.q.size(1) / t.k.size(1);
  const auto type = t.q.scalar_type();
  const auto heads_first = [](const at::Tensor& x) { return x.unsqueeze(0).transpose(1, 2); };
  const auto rows_first = [](const at::Tensor& x) { return x.transpose(1, 2).squeeze(0); };
  const auto each_head = [&](const at::Tensor& x) {
    return heads_first(group > 1 ? x.repeat_interleave(group, 1) : x);
  };
  std::vector<at::Tensor> parts;
  if (triangle > 0) {
    const auto n = span.prefix + triangle;
    at::Tensor q = t.q.narrow(0, 0, triangle);
    if (span.prefix > 0) q = at::cat({t.before, q});
    const at::Tensor k = t.k.narrow(0, 0, n), v = t.v.narrow(0, 0, n);
    // Only the kernels for halves take grouped heads; for other types libtorch would go the slow
    // way without a word.
    const bool grouped = group > 1 && (type == at::kBFloat16 || type == at::kHalf);
    const at::Tensor o =
        at::scaled_dot_product_attention(heads_first(q), grouped ? heads_first(k) : each_head(k),
                                         grouped ? heads_first(v) : each_head(v), {}, 0.0,
                                         /*is_causal=*/true, std::nullopt, grouped);
    parts.push_back(rows_first(o).narrow(0, span.prefix, triangle));
  }
  if (triangle < queries) {
    if (!span.mask.defined()) span.mask = mask_of(span, triangle, t.q.device());
    // Nor do the kernels that take a mask.
    const at::Tensor o = at::scaled_dot_product_attention(
        heads_first(t.q.narrow(0, triangle, queries - triangle)), each_head(t.k), each_head(t.v),
        span.mask, 0.0, /*is_causal=*/false);
    parts.push_back(rows_first(o));
  }
  return at::cat(parts).reshape({queries, -1});
}

}  // namespace

AttentionPlan full_plan(const CombBatch& batch) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch.rows));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  return plan_for(batch, rows);
}

AttentionPlan plan_for(const CombBatch& batch, const std::vector<std::int64_t>& rows) {
  AttentionPlan plan;
  std::size_t at = 0;
  const auto take = [&](std::int64_t prefix, std::int64_t begin, std::int64_t keys,
                        auto&& visible_of) {
    AttentionSpan span{prefix, begin, keys, static_cast<std::int64_t>(at), {}, {}};
    for (; at < rows.size() && rows[at] < begin + keys; ++at) {
      span.visible.push_back(visible_of(rows[at] - begin));
    }
    plan.push_back(std::move(span));
  };
  const auto causal = [](std::int64_t seen) {
    return VisibleColumns{static_cast<std::int32_t>(seen), 0, 0};
  };
  // The prefix comes first, also without queries: the backward pass adds to what it wrote there.
  if (batch.prefix > 0) {
    take(0, 0, batch.prefix, [&](std::int64_t i) { return causal(i + 1); });
  }
  for (const auto& span : batch.spans) {
    take(batch.prefix, span.begin, span.trunk + span.probes, [&](std::int64_t i) {
      if (i < span.trunk) return causal(batch.prefix + i + 1);
      const ProbeRow& p = span.probe_rows[static_cast<std::size_t>(i - span.trunk)];
      const auto own = batch.prefix + span.trunk;
      return VisibleColumns{p.attach, static_cast<std::int32_t>(own + p.begin),
                            static_cast<std::int32_t>(own + (i - span.trunk) + 1)};
    });
  }
  if (at != rows.size()) {
    throw std::out_of_range("row " + std::to_string(rows[at]) + " of a batch of " +
                            std::to_string(batch.rows));
  }
  return plan;
}

AttentionResult comb_attention(const AttentionOperands& in, const AttentionPlan& plan) {
  AttentionResult result;
  if (has_row_kernels(in.q)) {
    const auto queries = in.q.size(0);
    result.out = at::empty({queries, in.q.size(1)}, in.q.options());
    result.log_sum =
        at::empty({in.heads, queries}, in.q.options().dtype(wide_type(in.q.scalar_type())));
    with_row_kernels(in.q,
                     [&]<class T>(const kernel::RowOps<T>&) { forward<T>(in, plan, result); });
    return result;
  }
  std::vector<at::Tensor> parts;
  for (const auto& span : plan) {
    if (span.visible.empty()) continue;
    parts.push_back(attend(tensors_of(plan, span, in), span));
  }
  result.out = at::cat(parts);
  return result;
}

void comb_attention_backward(const at::Tensor& g, const AttentionOperands& in,
                             const AttentionResult& result, const AttentionPlan& plan,
                             const AttentionGradients& d) {
  if (has_row_kernels(in.q)) {
    with_row_kernels(
        in.q, [&]<class T>(const kernel::RowOps<T>&) { backward<T>(g, in, result, plan, d); });
    return;
  }
  const AttentionOperands constants{in.q.detach(), in.k.detach(), in.v.detach(), in.heads,
                                    in.kv_heads};
  // libtorch's attention once more with autograd, span by span: the fused kernels' own backward
  // functions differ from version to version, autograd's interface does not.
  at::AutoGradMode grad(true);
  for (const auto& span : plan) {
    auto dk_own = d.k.narrow(0, span.begin, span.keys),
         dv_own = d.v.narrow(0, span.begin, span.keys);
    if (span.visible.empty()) {
      dk_own.zero_();
      dv_own.zero_();
      continue;
    }
    const auto n = static_cast<std::int64_t>(span.visible.size());
    auto t = tensors_of(plan, span, constants);
    for (at::Tensor* x : {&t.q, &t.k, &t.v}) *x = x->detach().requires_grad_(true);
    const auto o = attend(t, span);
    const auto grads =
        torch::autograd::grad({o}, {t.q, t.k, t.v}, {g.narrow(0, span.first_query, n)});
    d.q.narrow(0, span.first_query, n).copy_(grads[0].reshape({n, -1}));
    const auto give = [&](const at::Tensor& grad_of, at::Tensor own, at::Tensor all) {
      const auto flat = grad_of.reshape({span.prefix + span.keys, -1});
      own.copy_(flat.narrow(0, span.prefix, span.keys));
      if (span.prefix > 0) all.narrow(0, 0, span.prefix).add_(flat.narrow(0, 0, span.prefix));
    };
    give(grads[1], dk_own, d.k);
    give(grads[2], dv_own, d.v);
  }
}

}  // namespace straq::model
