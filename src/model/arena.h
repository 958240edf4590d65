// All parameters of a model in one flat buffer, its gradients in another, and each parameter a view
// into them. One buffer means one allreduce, one optimizer pass, one copy for a target sync and one
// checksum, whatever the number of layers.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace straq::model {

struct ParameterSpec {
  std::string name;  // Hugging Face's name: "model.layers.0.mlp.up_proj.weight"
  std::vector<std::int64_t> shape;
};

class ParameterArena {
 public:
  // Buffers start at zero. Without gradients (a target network) no view requires a gradient and
  // flat_grad() is undefined.
  ParameterArena(std::vector<ParameterSpec> specs, at::ScalarType dtype, at::Device device,
                 bool with_gradients);
  ParameterArena(const ParameterArena&) = delete;
  ParameterArena& operator=(const ParameterArena&) = delete;
  ParameterArena(ParameterArena&&) = default;  // the leaves keep pointing into the same buffers
  ParameterArena& operator=(ParameterArena&&) = default;

  const std::vector<ParameterSpec>& specs() const { return specs_; }
  std::int64_t size() const { return flat_.numel(); }
  at::Tensor flat() const { return flat_; }            // [size], no autograd history
  at::Tensor flat_grad() const { return flat_grad_; }  // [size]
  // The leaf that takes part in the forward pass: a view into flat() whose .grad is a view into
  // flat_grad(). It shares flat()'s version counter, so changing the buffer between a forward and
  // its backward is an error of libtorch, not a wrong gradient. Throws std::out_of_range for an
  // unknown name.
  const at::Tensor& operator[](const std::string& name) const;
  std::int64_t offset(std::size_t i) const { return offsets_[i]; }

  // Zeroes in place; the leaves' gradients stay views. Does nothing without gradients.
  void zero_grad();
  // The values are copied (and cast). Throws Error(input) naming the first parameter that differs
  // in name or shape.
  void copy_from(const ParameterArena& other);
  // SHA-256 of the buffer's bytes: equal on every learner after a sync or a step.
  std::string checksum() const;

 private:
  std::vector<ParameterSpec> specs_;
  std::vector<std::int64_t> offsets_;
  std::unordered_map<std::string, at::Tensor> leaves_;
  at::Tensor flat_, flat_grad_;
};

}  // namespace straq::model
