// The pieces of a decoder layer beside its matrix products and its attention, forward and backward,
// without autograd: the decoder (decoder.h) keeps its own tape. On a CPU each is one pass by
// kernel/row_ops.h, with rows split over the threads; on a device a composition of libtorch's
// operations.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace straq::model {

// The precision of statistics, sums and gradients of data in `dtype`: double for double, else fp32.
at::ScalarType wide_type(at::ScalarType dtype);

// A host tensor on `device`. To a GPU by way of pinned memory, so that the host does not wait for
// what the device has still to do.
at::Tensor on_device(const at::Tensor& host, at::Device device);

// weight * x / sqrt(mean(x^2) + eps) over the last dimension (Zhang and Sennrich 2019): x [n, d],
// weight [d]. `scale` receives the rsqrt of every row, [n] in the wide type.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& scale);
// The same values from a saved scale.
at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale);
// Adds d loss / d x to dx [n, d] and d loss / d weight to dweight [d] (wide; undefined: the weight
// is not trained), from g = d loss / d out [n, d].
void rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale,
                       const at::Tensor& g, at::Tensor dx, at::Tensor dweight);

// cos and sin of every position's rotation, [positions, d/2] in the wide type of `dtype`: angles
// are position times frequency in fp32, as Hugging Face computes them. frequencies fp32 [d/2].
struct RotaryTable {
  at::Tensor cos, sin;
};
RotaryTable rotary_table(std::int64_t positions, const at::Tensor& frequencies,
                         at::ScalarType dtype);

// Turns the pairs (x[i], x[i + d/2]) of every head by its row's position, in place (Su et al. 2021,
// in the half-split order of Hugging Face's checkpoints). x [n, heads * d], rows may be strided;
// positions int64 [n]; direction -1 turns back.
void rotate_(at::Tensor x, std::int64_t heads, const RotaryTable& table,
             const at::Tensor& positions, int direction = 1);

// silu(gate) * up (Shazeer 2020) of both = [gate | up], [n, 2 d] -> [n, d].
at::Tensor swiglu(const at::Tensor& both);
// From g = d loss / d out: `both` becomes its own gradient and `g` the value of swiglu(both), which
// the next weight's gradient needs.
void swiglu_backward_(at::Tensor both, at::Tensor g);

// to[rows[i]] += from[i], to [m, d], from [n, d], rows int64 [n] on their device; in the order of
// i, so that repeated rows add up the same way every time on a CPU.
void add_rows_(at::Tensor to, const at::Tensor& rows, const at::Tensor& from);

}  // namespace straq::model
