// A weight matrix made ready for inference: on a CPU packed into panels for kernel/panel_ops.h, in
// fp32 or in fewer bits; on a device a tensor. The products of a row do not depend on the rows
// beside it (on a CPU: to the bit).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <initializer_list>

#include "config/fields.h"

namespace straq::model {

// How weights are kept. int8: values of 8 bits with a scale for each 32 of a row, greatest
// magnitude / 127; one rounding of weights, none of activations.
enum class WeightPrecision { fp32, bf16, int8 };
inline constexpr std::initializer_list<config::Choice<WeightPrecision>> kWeightPrecisions = {
    {"fp32", WeightPrecision::fp32},
    {"bf16", WeightPrecision::bf16},
    {"int8", WeightPrecision::int8}};

class PackedMatrix {
 public:
  PackedMatrix() = default;
  // `weight` [outputs, inputs] on the host, in any floating type. On a device, or where the row
  // kernels are turned off, it is kept as a tensor in fp32 or bf16.
  PackedMatrix(const at::Tensor& weight, WeightPrecision precision, at::Device device);

  std::int64_t outputs() const { return outputs_; }
  std::int64_t inputs() const { return inputs_; }

  // x W[begin, end)^T, [n, end - begin] from x [n, inputs], in x's type; on a CPU fp32. `begin`
  // must be a multiple of kernel::kPanel.
  at::Tensor product(const at::Tensor& x, std::int64_t begin, std::int64_t end) const;
  at::Tensor product(const at::Tensor& x) const { return product(x, 0, outputs_); }
  // Rows of W: [n, inputs] from int64 [n] indices on the host.
  at::Tensor rows(const at::Tensor& indices) const;

 private:
  bool by_kernels() const { return !tensor_.defined(); }

  std::int64_t outputs_ = 0, inputs_ = 0;
  WeightPrecision precision_ = WeightPrecision::fp32;
  at::Tensor panels_;  // flat: fp32, bf16 or int8
  at::Tensor scales_;  // flat fp32, of int8 panels
  at::Tensor tensor_;  // [outputs, inputs] where there are no panels
};

}  // namespace straq::model
