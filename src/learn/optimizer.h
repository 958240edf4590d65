// AdamW over the arena's flat buffer in one pass, gradient clipping by global norm, and the
// learning-rate schedule.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "learn/learn_config.h"

namespace straq::learn {

// Linear warm-up over warmup * total steps, then a half cosine from lr to lr_min * lr. `step`
// counts from 0.
double learning_rate(const StageConfig& stage, std::int64_t step, std::int64_t total);

// Decoupled weight decay (Loshchilov and Hutter 2019), bias-corrected moments in fp32.
class AdamW {
 public:
  // State for a flat parameter buffer of `size` elements.
  AdamW(const StageConfig& stage, at::Tensor flat);
  // One update of the buffer by `grad` [size], which clipping has already scaled.
  void step(const at::Tensor& grad, double lr);

  at::Tensor first_moment() const { return m_; }
  at::Tensor second_moment() const { return v_; }
  std::int64_t steps() const { return steps_; }
  // Goes on after `steps` updates; whoever calls it has put the moments back.
  void resume(std::int64_t steps) { steps_ = steps; }

 private:
  StageConfig stage_;
  at::Tensor flat_, m_, v_;
  std::int64_t steps_ = 0;
};

// The gradient's global L2 norm before clipping; scales `grad` in place to at most `clip` (0 =
// off). A norm that is not finite leaves the gradient as it is.
double clip_gradient(at::Tensor grad, double clip);

}  // namespace straq::learn
