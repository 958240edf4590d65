#include "model/layers.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

namespace straq::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::ScalarType statistics_type(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& weight,
                          double eps) {
    const auto wide = x.to(statistics_type(x.scalar_type()));
    // The norm in one pass; its square over d is the mean of squares.
    const auto norm = at::linalg_vector_norm(wide, 2, at::IntArrayRef{-1}, true);
    const auto scale = norm.square_().div_(static_cast<double>(wide.size(-1))).add_(eps).rsqrt_();
    ctx->save_for_backward({x, weight, scale});
    return at::mul(wide, scale).to(x.scalar_type()).mul_(weight);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto& scale = saved[2];
    const auto type = scale.scalar_type();
    const auto g = grads[0].to(type);
    const auto weight = saved[1].to(type);
    const auto normed = at::mul(saved[0].to(type), scale);
    const auto product = at::mul(g, normed);
    // d x = scale (w g - normed mean(w g normed))
    const auto mean = at::mv(product, weight).div_(static_cast<double>(weight.numel()));
    auto dx = at::mul(g, weight).addcmul_(normed, mean.unsqueeze(-1), -1).mul_(scale);
    const auto dtype = saved[0].scalar_type();
    return {dx.to(dtype), product.sum(0).to(dtype), Variable()};
  }
};

// [x1, x2] -> [x1 cos - x2 sin, x2 cos + x1 sin]; direction -1 rotates back.
at::Tensor turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const auto half = x.size(-1) / 2;
  at::Tensor out = at::empty(x.sizes(), x.options());
  auto out1 = out.narrow(-1, 0, half), out2 = out.narrow(-1, half, half);
  const auto x1 = x.narrow(-1, 0, half), x2 = x.narrow(-1, half, half);
  at::mul_out(out1, x1, cos);
  out1.addcmul_(x2, sin, -direction);
  at::mul_out(out2, x2, cos);
  out2.addcmul_(x1, sin, direction);
  return out;
}

class Rotate : public torch::autograd::Function<Rotate> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x, const at::Tensor& cos,
                          const at::Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return turn(x, cos, sin, 1);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    // The transpose of a rotation is the rotation back.
    return {turn(grads[0], saved[0], saved[1], -1), Variable(), Variable()};
  }
};

// Calls f(first, count) for pieces of rows that fit in the cores' caches together; on a device all
// rows are one piece.
template <class F>
void for_row_pieces(const at::Tensor& x, F&& f) {
  constexpr std::int64_t elements_a_core = 1 << 15;
  const auto rows = x.size(0);
  auto piece = std::max<std::int64_t>(
      1, elements_a_core * at::get_num_threads() / std::max<std::int64_t>(1, x.size(1)));
  if (!x.is_cpu()) piece = std::max<std::int64_t>(1, rows);
  for (std::int64_t first = 0; first < rows; first += piece) {
    f(first, std::min(piece, rows - first));
  }
}

class SwiGlu : public torch::autograd::Function<SwiGlu> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& gate, const Variable& up) {
    ctx->save_for_backward({gate, up});
    at::Tensor out = at::empty_like(gate);
    for_row_pieces(gate, [&](std::int64_t first, std::int64_t count) {
      auto o = out.narrow(0, first, count);
      at::silu_out(o, gate.narrow(0, first, count));
      o.mul_(up.narrow(0, first, count));
    });
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    at::Tensor d_gate = at::empty_like(saved[0]), d_up = at::empty_like(saved[1]);
    for_row_pieces(d_gate, [&](std::int64_t first, std::int64_t count) {
      const auto piece = [&](const at::Tensor& t) { return t.narrow(0, first, count); };
      const auto g = piece(grads[0]), gate = piece(saved[0]);
      auto to_up = piece(d_up), to_gate = piece(d_gate);
      at::silu_out(to_up, gate);
      to_up.mul_(g);
      at::silu_backward_out(to_gate, at::mul(g, piece(saved[1])), gate);
    });
    return {d_gate, d_up};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  return SwiGlu::apply(gate, up);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return RmsNorm::apply(x, weight, eps);
}

RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype) {
  const auto angles = at::mul(positions.to(at::kFloat).unsqueeze(1), frequencies).unsqueeze(1);
  return {angles.cos().to(dtype), angles.sin().to(dtype)};
}

RotaryTable RotaryTable::select(const at::Tensor& rows) const {
  return {cos.index_select(0, rows), sin.index_select(0, rows)};
}

at::Tensor rotate(const at::Tensor& x, const RotaryTable& table) {
  return Rotate::apply(x, table.cos, table.sin);
}

AttentionPlan full_plan(const CombBatch& batch, at::ScalarType dtype) {
  AttentionPlan plan;
  plan.reserve(batch.spans.size());
  for (const auto& span : batch.spans) {
    AttentionSpan s{span.trunk, span.probes, span.trunk, span.probes, {}};
    if (span.probes > 0) {
      s.mask = at::zeros(span.probe_mask.sizes(), span.probe_mask.options().dtype(dtype));
      s.mask.masked_fill_(span.probe_mask.logical_not(), -std::numeric_limits<double>::infinity());
    }
    plan.push_back(std::move(s));
  }
  return plan;
}

at::Tensor comb_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionPlan& plan) {
  // Splitting once keeps the backward linear in the rows: a slice per span would make a gradient
  // of the whole batch's size for each.
  std::vector<std::int64_t> query_sizes, row_sizes;
  for (const auto& s : plan) {
    query_sizes.push_back(s.trunk_queries);
    query_sizes.push_back(s.probe_queries);
    row_sizes.push_back(s.trunk + s.probes);
  }
  const auto qs = q.split_with_sizes(query_sizes), ks = k.split_with_sizes(row_sizes),
             vs = v.split_with_sizes(row_sizes);
  const bool grouped = q.size(1) != k.size(1);
  const auto heads_first = [](const at::Tensor& x) { return x.unsqueeze(0).transpose(1, 2); };
  std::vector<at::Tensor> out;
  const auto attend = [&](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          const std::optional<at::Tensor>& mask) {
    const auto o = at::scaled_dot_product_attention(heads_first(query), heads_first(key),
                                                    heads_first(value), mask, 0.0,
                                                    /*is_causal=*/!mask, std::nullopt, grouped);
    out.push_back(o.transpose(1, 2).reshape({query.size(0), -1}));
  };
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto& s = plan[i];
    if (s.trunk_queries > 0) {
      attend(qs[2 * i], ks[i].narrow(0, 0, s.trunk), vs[i].narrow(0, 0, s.trunk), std::nullopt);
    }
    if (s.probe_queries > 0) attend(qs[2 * i + 1], ks[i], vs[i], s.mask);
  }
  return at::cat(out);
}

}  // namespace straq::model
