#include "model/weights/weights_io.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "model/layers.h"

namespace straq::model {
namespace {

// Values looked at in one go: large enough to be fast, small enough to add no memory to speak of.
constexpr std::int64_t kConvertPiece = 1 << 22;

// Largest finite value, where values of a wider type can be beyond it.
double largest(at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return 65504.0;
    case at::kBFloat16:
      return 3.3895313892515355e38;
    case at::kFloat:
      return 3.4028234663852886e38;
    default:
      return std::numeric_limits<double>::max();
  }
}

}  // namespace

WeightsSource weights_of(const Llama& model) {
  WeightsSource source;
  source.path = "the model";
  source.shape = model.shape();
  source.dtype = model.part().lora.rank > 0 ? wide_type(model.dtype()) : model.dtype();
  source.tensor = [&model](const ParameterSpec& spec) { return model.merged_weight(spec.name); };
  return source;
}

Llama load_weights(const WeightsSource& source, at::ScalarType dtype, at::Device device,
                   bool with_gradients, const TrainedPart& part) {
  Llama model(source.shape, dtype, device, with_gradients, part);
  at::NoGradGuard no_grad;
  for (const auto& spec : parameter_specs(source.shape)) {
    const at::Tensor values = source.tensor(spec);
    model.weight(spec.name).view(-1).copy_(values.reshape(-1));
  }
  return model;
}

void require_storable(const WeightsSource& source, at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  for (const auto& spec : parameter_specs(source.shape)) {
    const at::Tensor values = source.tensor(spec).reshape(-1);
    for (std::int64_t begin = 0; begin < values.numel(); begin += kConvertPiece) {
      // By way of fp32, which libtorch reduces fastest and without copies of its own.
      const at::Tensor part =
          values.narrow(0, begin, std::min(kConvertPiece, values.numel() - begin));
      const auto wide = part.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      const auto [low, high] = at::aminmax(part.cpu().to(wide));
      const double a = low.item<double>(), b = high.item<double>();
      if (!std::isfinite(a) || !std::isfinite(b)) {
        fail_input(source.path + ": tensor " + spec.name + " holds a value that is not finite",
                   "the checkpoint is damaged or its training diverged; use another one");
      }
      if (const double most = std::max(std::abs(a), std::abs(b)); most > largest(dtype)) {
        fail_input(source.path + ": tensor " + spec.name + " holds " + std::to_string(most) +
                       ", more than " + word_of_dtype(dtype) + " can",
                   "choose bf16 or fp32");
      }
    }
  }
}

at::ScalarType dtype_of_word(const std::string& word) {
  if (word == "fp32") return at::kFloat;
  if (word == "bf16") return at::kBFloat16;
  if (word == "fp16") return at::kHalf;
  fail_input("precision \"" + word + "\" is not known", "choose fp32, bf16 or fp16");
}

std::string word_of_dtype(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "fp64";
    case at::kFloat:
      return "fp32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      return at::toString(dtype);
  }
}

}  // namespace straq::model
