#include "model/arena.h"

#include <ATen/core/grad_mode.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "core/hash.h"
#include "model/layers.h"
#include "model/weights/safetensors.h"

namespace straq::model {
namespace {

std::int64_t count_of(const ParameterSpec& spec) {
  std::int64_t n = 1;
  for (const auto d : spec.shape) n *= d;
  return n;
}

}  // namespace

ParameterArena::ParameterArena(std::vector<ParameterSpec> specs, at::ScalarType dtype,
                               at::Device device, bool with_gradients)
    : specs_(std::move(specs)) {
  std::int64_t total = 0;
  for (const auto& spec : specs_) {
    offsets_.push_back(total);
    total += count_of(spec);
  }
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  storage_ = at::zeros({total + kMaxParts}, options);
  flat_ = storage_.narrow(0, 0, total);
  if (with_gradients) {
    grad_storage_ = at::zeros({total + kMaxParts}, options.dtype(wide_type(dtype)));
    flat_grad_ = grad_storage_.narrow(0, 0, total);
  }
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!index_.emplace(specs_[i].name, i).second) {
      throw std::logic_error("two parameters are named " + specs_[i].name);
    }
  }
}

std::size_t ParameterArena::index(const std::string& name) const {
  const auto it = index_.find(name);
  if (it == index_.end()) throw std::out_of_range("no parameter is named " + name);
  return it->second;
}

at::Tensor ParameterArena::padded_flat(std::int64_t parts) const {
  return storage_.narrow(0, 0, (size() + parts - 1) / parts * parts);
}

at::Tensor ParameterArena::padded_grad(std::int64_t parts) const {
  return grad_storage_.narrow(0, 0, (size() + parts - 1) / parts * parts);
}

at::Tensor ParameterArena::operator[](const std::string& name) const {
  const auto i = index(name);
  return flat_.narrow(0, offsets_[i], count_of(specs_[i])).view(specs_[i].shape);
}

at::Tensor ParameterArena::grad(const std::string& name) const {
  const auto i = index(name);
  if (!flat_grad_.defined()) return {};
  return flat_grad_.narrow(0, offsets_[i], count_of(specs_[i])).view(specs_[i].shape);
}

void ParameterArena::zero_grad() {
  if (flat_grad_.defined()) flat_grad_.zero_();
}

void ParameterArena::copy_from(const ParameterArena& other) {
  for (std::size_t i = 0; i < std::max(specs_.size(), other.specs_.size()); ++i) {
    if (i >= specs_.size() || i >= other.specs_.size()) {
      const auto& extra = i >= specs_.size() ? other.specs_[i] : specs_[i];
      fail_input("cannot copy parameters: only one of the two models has " + extra.name,
                 "both models must have the same shape");
    }
    const auto &a = specs_[i], &b = other.specs_[i];
    if (a.name != b.name || a.shape != b.shape) {
      fail_input("cannot copy parameters: " + b.name + " " + shape_words(b.shape) + " to " +
                     a.name + " " + shape_words(a.shape),
                 "both models must have the same shape");
    }
  }
  at::NoGradGuard no_grad;
  flat_.copy_(other.flat_);
}

std::string ParameterArena::checksum() const {
  const at::Tensor bytes = flat_.cpu();
  return Sha256().update(bytes.const_data_ptr(), bytes.nbytes()).hex();
}

std::string ParameterArena::fingerprint() const {
  // Pieces, because integers of 64 bits are twice or four times the weights.
  constexpr std::int64_t kPiece = 1 << 20;
  const auto bits = flat_.scalar_type() == at::kDouble  ? at::kLong
                    : flat_.scalar_type() == at::kFloat ? at::kInt
                                                        : at::kShort;
  const at::Tensor words = flat_.view(bits);
  // Odd, so that no multiple of it vanishes for any bit.
  const at::Tensor place = at::arange(kPiece, words.options().dtype(at::kLong)).mul_(2).add_(1);
  at::Tensor sums = at::zeros({2}, place.options());
  for (std::int64_t first = 0; first < words.numel(); first += kPiece) {
    const auto n = std::min(kPiece, words.numel() - first);
    const at::Tensor piece = words.narrow(0, first, n).to(at::kLong);
    const at::Tensor sum = piece.sum(), weighted = piece.mul(place.narrow(0, 0, n)).sum();
    sums.add_(at::stack({sum, weighted.add(sum, 2 * first)}));
  }
  const at::Tensor host = sums.cpu();
  const auto* sum = host.const_data_ptr<std::int64_t>();
  return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(sum[0]),
                     static_cast<std::uint64_t>(sum[1]));
}

}  // namespace straq::model
