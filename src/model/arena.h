// The parameters of a model, or a part of them, in one flat buffer, their gradients in another, and
// each parameter a view into them. One buffer means one allreduce, one optimizer pass, one copy for
// a target sync and one checksum, whatever the number of layers.
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
  // Buffers start at zero. Gradients are summed in fp32 where the parameters are in a lower
  // precision. Without gradients (a target network) flat_grad() is undefined.
  ParameterArena(std::vector<ParameterSpec> specs, at::ScalarType dtype, at::Device device,
                 bool with_gradients);
  ParameterArena(const ParameterArena&) = delete;
  ParameterArena& operator=(const ParameterArena&) = delete;
  ParameterArena(ParameterArena&&) = default;  // views keep pointing into the same buffers
  ParameterArena& operator=(ParameterArena&&) = default;

  const std::vector<ParameterSpec>& specs() const { return specs_; }
  std::int64_t size() const { return flat_.numel(); }
  at::Tensor flat() const { return flat_; }            // [size], no autograd history
  at::Tensor flat_grad() const { return flat_grad_; }  // [size]
  // flat() and flat_grad() with zeros behind them, so that they divide into `parts` equal shards
  // (at most kMaxParts): [parts * ceil(size / parts)].
  at::Tensor padded_flat(std::int64_t parts) const;
  at::Tensor padded_grad(std::int64_t parts) const;
  static constexpr std::int64_t kMaxParts = 4096;
  // A parameter's view into flat(), and its gradient's into flat_grad(). Throw std::out_of_range
  // for an unknown name; the gradient of an arena without gradients is undefined.
  bool has(const std::string& name) const { return index_.count(name) > 0; }
  at::Tensor operator[](const std::string& name) const;
  at::Tensor grad(const std::string& name) const;
  std::int64_t offset(std::size_t i) const { return offsets_[i]; }
  std::int64_t offset(const std::string& name) const { return offsets_[index(name)]; }

  // Zeroes in place. Does nothing without gradients.
  void zero_grad();
  // The values are copied (and cast). Throws Error(input) naming the first parameter that differs
  // in name or shape.
  void copy_from(const ParameterArena& other);
  // SHA-256 of the buffer's bytes, for provenance: every weight goes through the host.
  std::string checksum() const;
  // 32 hexadecimal digits that are equal where all bits of the buffer are, and hardly ever
  // otherwise: two sums over the bits of all weights modulo 2^64, one weighted by position. Made on
  // the device, for comparing learners while they train.
  std::string fingerprint() const;

 private:
  std::vector<ParameterSpec> specs_;
  std::size_t index(const std::string& name) const;

  std::vector<std::int64_t> offsets_;
  std::unordered_map<std::string, std::size_t> index_;
  at::Tensor storage_, grad_storage_;  // with room for padding
  at::Tensor flat_, flat_grad_;        // without
};

}  // namespace straq::model
