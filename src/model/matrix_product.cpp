#include "model/matrix_product.h"

#include <algorithm>

#include "model/blas.h"
#include "model/row_kernels.h"

namespace straq::model {
namespace {

bool in_fp32(const at::Tensor& x) {
  return has_row_kernels(x) && x.scalar_type() == at::kBFloat16 && bf16_by_fp32();
}

// f(first, count) for pieces of rows that bound the memory of their fp32 copies.
template <class F>
void for_pieces(std::int64_t rows, F&& f) {
  constexpr std::int64_t kPiece = 2048;
  for (std::int64_t first = 0; first < rows; first += kPiece) {
    f(first, std::min(kPiece, rows - first));
  }
}

}  // namespace

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (!in_fp32(a)) return at::mm(a, b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  product_out(out, a, b);
  return out;
}

void product_out(at::Tensor out, const at::Tensor& a, const at::Tensor& b) {
  if (!in_fp32(a)) {
    at::mm_out(out, a, b);
    return;
  }
  const at::Tensor wide = b.to(at::kFloat);
  for_pieces(a.size(0), [&](std::int64_t first, std::int64_t count) {
    out.narrow(0, first, count).copy_(at::mm(a.narrow(0, first, count).to(at::kFloat), wide));
  });
}

void add_product_out(at::Tensor out, const at::Tensor& base, const at::Tensor& a,
                     const at::Tensor& b) {
  if (!in_fp32(a)) {
    at::addmm_out(out, base, a, b);
    return;
  }
  const at::Tensor wide = b.to(at::kFloat);
  for_pieces(a.size(0), [&](std::int64_t first, std::int64_t count) {
    const auto piece = [&](const at::Tensor& x) {
      return x.narrow(0, first, count).to(at::kFloat);
    };
    out.narrow(0, first, count).copy_(piece(base).addmm_(piece(a), wide));
  });
}

void add_weight_gradient_(at::Tensor weight_gradient, const at::Tensor& d, const at::Tensor& h) {
  if (d.scalar_type() == weight_gradient.scalar_type()) {
    weight_gradient.addmm_(d.t(), h);
    return;
  }
  if (in_fp32(d)) {
    for_pieces(d.size(0), [&](std::int64_t first, std::int64_t count) {
      weight_gradient.addmm_(d.narrow(0, first, count).to(at::kFloat).t(),
                             h.narrow(0, first, count).to(at::kFloat));
    });
    return;
  }
  if (d.is_cpu() && d.scalar_type() == at::kBFloat16) {
    // bf16 products summed in fp32, straight into the gradient.
    add_transposed_product(d.size(0), h.size(1), d.size(1), data<kernel::BFloat16>(d), d.stride(0),
                           data<kernel::BFloat16>(h), h.stride(0), data<float>(weight_gradient),
                           weight_gradient.stride(0));
    return;
  }
  if (d.is_cuda() && weight_gradient.scalar_type() == at::kFloat) {
    // cuBLAS sums in fp32; asked for it, it does not round the sum to d's precision.
    weight_gradient.add_(at::mm(d.t(), h, at::kFloat));
    return;
  }
  weight_gradient.add_(at::mm(d.t(), h));
}

}  // namespace straq::model
