// A linear map of the decoder, y = x W^T, with the low-rank products that an adapter trains beside
// it (LoRA, Hu et al. 2021): y += s (x A^T) B^T. Several weights that lie side by side are one map
// (queries, keys and values; gate and up), and each may have factors of its own. A map without
// factors costs what its product costs.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace straq::model {

// The factor B of some of a map's outputs: [count, rank] for outputs [first, first + count).
struct LowRankPart {
  std::int64_t first = 0, count = 0;
  at::Tensor b;
};

// Also the gradient of such a map: tensors of the same shapes in the wide type, undefined where
// nothing is trained. Parts are in the order of their outputs, and `a` holds their factors A, one
// after the other: [parts * rank, inputs].
struct Linear {
  at::Tensor weight;  // [outputs, inputs]
  at::Tensor a;       // undefined: no adapter
  std::vector<LowRankPart> parts;
  double scale = 0;  // s = alpha / rank

  std::int64_t outputs() const { return weight.size(0); }
  // The map to outputs [first, first + count) alone, which no part lies across.
  Linear narrow(std::int64_t first, std::int64_t count) const;
};

// y of x [n, inputs]: [n, outputs].
at::Tensor apply(const Linear& map, const at::Tensor& x);
// The same into `out`.
void apply_out(at::Tensor out, const Linear& map, const at::Tensor& x);
// out = base + y; `out` may be `base`.
void add_apply_out(at::Tensor out, const at::Tensor& base, const Linear& map, const at::Tensor& x);

// d loss / d x from d = d loss / d y [n, outputs].
at::Tensor input_gradient(const Linear& map, const at::Tensor& d);
// Adds the gradients of what `gradient` has tensors for, from d = d loss / d y and x.
void add_gradients_(const Linear& gradient, const Linear& map, const at::Tensor& d,
                    const at::Tensor& x);

}  // namespace straq::model
