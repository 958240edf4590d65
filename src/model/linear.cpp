#include "model/linear.h"

#include <stdexcept>

#include "model/matrix_product.h"

namespace straq::model {
namespace {

std::int64_t rank_of(const Linear& map) {
  return map.a.size(0) / static_cast<std::int64_t>(map.parts.size());
}

// s x A^T of every part, [n, parts * rank].
at::Tensor reduced(const Linear& map, const at::Tensor& x) {
  return product(x, map.a.t()).mul_(map.scale);
}

// s d B of every part, side by side: what the factors A see of d = d loss / d y.
at::Tensor reduced_gradient(const Linear& map, const at::Tensor& d) {
  const auto rank = rank_of(map);
  at::Tensor out = at::empty({d.size(0), map.a.size(0)}, d.options());
  for (std::size_t p = 0; p < map.parts.size(); ++p) {
    const auto& part = map.parts[p];
    out.narrow(1, static_cast<std::int64_t>(p) * rank, rank)
        .copy_(product(d.narrow(1, part.first, part.count), part.b));
  }
  return out.mul_(map.scale);
}

void add_low_rank_(at::Tensor out, const Linear& map, const at::Tensor& x) {
  const auto rank = rank_of(map);
  const at::Tensor u = reduced(map, x);
  for (std::size_t p = 0; p < map.parts.size(); ++p) {
    const auto& part = map.parts[p];
    at::Tensor some = out.narrow(1, part.first, part.count);
    add_product_out(some, some, u.narrow(1, static_cast<std::int64_t>(p) * rank, rank), part.b.t());
  }
}

}  // namespace

Linear Linear::narrow(std::int64_t first, std::int64_t count) const {
  Linear out;
  if (weight.defined()) out.weight = weight.narrow(0, first, count);
  if (!a.defined()) return out;
  const auto rank = rank_of(*this);
  std::int64_t begin = -1;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto& part = parts[p];
    if (part.first + part.count <= first || part.first >= first + count) continue;
    if (part.first < first || part.first + part.count > first + count) {
      throw std::logic_error("a part of a linear map lies across what is asked of it");
    }
    if (begin < 0) begin = static_cast<std::int64_t>(p);
    out.parts.push_back({part.first - first, part.count, part.b});
  }
  if (begin < 0) return out;
  out.a = a.narrow(0, begin * rank, static_cast<std::int64_t>(out.parts.size()) * rank);
  out.scale = scale;
  return out;
}

at::Tensor apply(const Linear& map, const at::Tensor& x) {
  at::Tensor out = product(x, map.weight.t());
  if (map.a.defined()) add_low_rank_(out, map, x);
  return out;
}

void apply_out(at::Tensor out, const Linear& map, const at::Tensor& x) {
  product_out(out, x, map.weight.t());
  if (map.a.defined()) add_low_rank_(out, map, x);
}

void add_apply_out(at::Tensor out, const at::Tensor& base, const Linear& map, const at::Tensor& x) {
  add_product_out(out, base, x, map.weight.t());
  if (map.a.defined()) add_low_rank_(out, map, x);
}

at::Tensor input_gradient(const Linear& map, const at::Tensor& d) {
  at::Tensor out = product(d, map.weight);
  if (map.a.defined()) add_product_out(out, out, reduced_gradient(map, d), map.a);
  return out;
}

void add_gradients_(const Linear& gradient, const Linear& map, const at::Tensor& d,
                    const at::Tensor& x) {
  if (gradient.weight.defined()) add_weight_gradient_(gradient.weight, d, x);
  if (!gradient.a.defined()) return;
  const auto rank = rank_of(map);
  add_weight_gradient_(gradient.a, reduced_gradient(map, d), x);
  const at::Tensor u = reduced(map, x);
  for (std::size_t p = 0; p < map.parts.size(); ++p) {
    const auto& part = map.parts[p];
    add_weight_gradient_(gradient.parts[p].b, d.narrow(1, part.first, part.count),
                         u.narrow(1, static_cast<std::int64_t>(p) * rank, rank));
  }
}

}  // namespace straq::model
