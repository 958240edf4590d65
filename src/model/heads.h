// Where the decoder's own tape and autograd meet: functions whose gradients for parameters go
// straight into the arena's gradient buffer, in its precision, instead of into a leaf's .grad.
#pragma once

#include <ATen/ATen.h>

#include <functional>

namespace straq::model {

// `value` with a history of one step: backward() calls `backward` with d loss / d value, once, and
// goes no further. `value` must have no history of its own.
at::Tensor with_backward(at::Tensor value, std::function<void(const at::Tensor&)> backward);

// hidden weight^T, [n, out] from hidden [n, in] and weight [out, in], in hidden's precision. The
// gradient of `weight` is added to weight_gradient (wide; may be undefined: none is wanted).
at::Tensor projection(const at::Tensor& hidden, const at::Tensor& weight,
                      const at::Tensor& weight_gradient);

// hidden rows^T where `rows` are weight[ids]: their gradient is added to those rows of
// weight_gradient, where it is defined.
at::Tensor projection_rows(const at::Tensor& hidden, const at::Tensor& rows,
                           const at::Tensor& weight_gradient, const at::Tensor& ids);

// x weight^T + bias, [n, out] from x [n, in], weight [out, in] and bias [out], all of one
// precision. Gradients of weight and bias are added to theirs (wide; undefined: none are wanted).
at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& weight_gradient, const at::Tensor& bias_gradient);

// Sum over n rows of -log softmax(hidden weight^T)[next], in the wide type of hidden's precision.
// Works in pieces of rows; with autograd on it computes its gradients in the same pass, because the
// logits would have to be computed again otherwise.
at::Tensor projected_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                   const at::Tensor& weight_gradient, const at::Tensor& next);

}  // namespace straq::model
