#include "learn/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace straq::learn {

double learning_rate(const StageConfig& stage, std::int64_t step, std::int64_t total) {
  const auto warm = static_cast<std::int64_t>(std::ceil(stage.warmup * static_cast<double>(total)));
  if (step < warm) return stage.lr * static_cast<double>(step + 1) / static_cast<double>(warm);
  const double progress = static_cast<double>(step - warm) /
                          static_cast<double>(std::max<std::int64_t>(1, total - warm));
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, progress)));
  return stage.lr * (stage.lr_min + (1 - stage.lr_min) * cosine);
}

bool keeps_master(at::ScalarType type) {
  return type != at::kFloat && type != at::kDouble;
}

AdamW::AdamW(const StageConfig& stage, at::Tensor parameters, at::Tensor master)
    : stage_(stage), parameters_(std::move(parameters)) {
  if (!keeps_master(parameters_.scalar_type())) {
    master_ = parameters_;
  } else {
    master_ = master.defined() ? std::move(master) : parameters_.to(at::kFloat);
  }
  m_ = at::zeros_like(master_);
  v_ = at::zeros_like(master_);
}

void AdamW::step(const at::Tensor& grad, double lr) {
  ++steps_;
  // The kernel counts steps itself, from a tensor that holds the number of this update.
  const at::Tensor count = at::full({}, static_cast<double>(steps_),
                                    at::TensorOptions().device(master_.device()).dtype(at::kFloat));
  at::Tensor g = grad;
  at::_fused_adamw_(master_, g, m_, v_, {}, count, lr, stage_.beta1, stage_.beta2,
                    stage_.weight_decay, stage_.eps, /*amsgrad=*/false, /*maximize=*/false);
  if (!master_.is_same(parameters_)) parameters_.copy_(master_);
}

void AdamW::resume(std::int64_t steps) {
  steps_ = steps;
  if (!master_.is_same(parameters_)) parameters_.copy_(master_);
}

at::Tensor squared_norm(const at::Tensor& grad) {
  // In pieces: libtorch makes an fp64 copy of what it sums in fp64.
  constexpr std::int64_t kPiece = 1 << 20;
  at::Tensor sum = at::zeros({1}, grad.options().dtype(at::kDouble));
  for (std::int64_t first = 0; first < grad.numel(); first += kPiece) {
    const at::Tensor piece = grad.narrow(0, first, std::min(kPiece, grad.numel() - first));
    sum.add_(at::linalg_vector_norm(piece, 2, {}, false, at::kDouble).square_());
  }
  return sum;
}

void clip_gradient(at::Tensor grad, double norm, double clip) {
  // The same rule as PyTorch's clip_grad_norm_, whose 1e-6 keeps the scale below 1.
  if (clip > 0 && std::isfinite(norm) && norm > clip) grad.mul_(clip / (norm + 1e-6));
}

}  // namespace straq::learn
