// AdamW over a flat buffer in one pass, gradient clipping by global norm, and the learning-rate
// schedule.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "learn/learn_config.h"

namespace straq::learn {

// Linear warm-up over warmup * total steps, then a half cosine from lr to lr_min * lr. `step`
// counts from 0.
double learning_rate(const StageConfig& stage, std::int64_t step, std::int64_t total);

// True for precisions whose parameters are updated in an fp32 copy.
bool keeps_master(at::ScalarType type);

// Decoupled weight decay (Loshchilov and Hutter 2019), bias-corrected moments in fp32. Parameters
// of lower precision have an fp32 master copy here, which is what is updated and rounded back: a
// learning rate of 5e-6 moves a bf16 weight by less than its last bit.
class AdamW {
 public:
  // State for `parameters`, a contiguous part of the flat buffer (all of it, or this learner's
  // shard), which step() writes. `master`: what parameters of lower precision were rounded from,
  // fp32 of as many elements, taken over; without it they are taken as exact. It matters: from
  // exact values many small steps pass before the first bit of a rounded weight changes.
  AdamW(const StageConfig& stage, at::Tensor parameters, at::Tensor master = {});
  // One update by `grad`, of the same number of elements in fp32 (fp64 for fp64 parameters), which
  // clipping has already scaled.
  void step(const at::Tensor& grad, double lr);

  // The parameters that are updated: the master copy where there is one, else the buffer itself.
  at::Tensor master() const { return master_; }
  at::Tensor first_moment() const { return m_; }
  at::Tensor second_moment() const { return v_; }
  std::int64_t steps() const { return steps_; }
  // Goes on after `steps` updates; whoever calls it has put master and moments back.
  void resume(std::int64_t steps);

 private:
  StageConfig stage_;
  at::Tensor parameters_, master_, m_, v_;
  std::int64_t steps_ = 0;
};

// Sum of the squares of a gradient (or of a learner's shard of it), [1] fp64 on its device.
at::Tensor squared_norm(const at::Tensor& grad);
// Scales `grad` in place so that a global L2 norm of `norm` becomes at most `clip` (0 = off). A
// norm that is not finite leaves the gradient as it is.
void clip_gradient(at::Tensor grad, double norm, double clip);

}  // namespace straq::learn
