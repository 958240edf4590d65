// The matrix products of a decoder's linear layers: libtorch's, but for bf16 on a CPU without tiles
// for it, where they are made in fp32 (blas.h) piece by piece and rounded once.
#pragma once

#include <ATen/ATen.h>

namespace straq::model {

// a b, [n, k] [k, m] -> [n, m] in their precision; sums in fp32 (fp64 for fp64). Either may be a
// transposed view.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
// The same into `out` [n, m].
void product_out(at::Tensor out, const at::Tensor& a, const at::Tensor& b);
// out = base + a b, rounded once; `out` may be `base`.
void add_product_out(at::Tensor out, const at::Tensor& base, const at::Tensor& a,
                     const at::Tensor& b);

// weight_gradient += d^T h, [out, in] (wide) from d [n, out] and h [n, in].
void add_weight_gradient_(at::Tensor weight_gradient, const at::Tensor& d, const at::Tensor& h);

}  // namespace straq::model
