#include "experiment/initial_model.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "learn/optimizer.h"
#include "model/weights/open_model.h"

namespace straq::experiment {
namespace fs = std::filesystem;
namespace {

at::ScalarType dtype_of(const ModelConfig& config) {
  switch (config.precision) {
    case Precision::fp64:
      return at::kDouble;
    case Precision::bf16:
      return at::kBFloat16;
    case Precision::fp32:
      break;
  }
  return at::kFloat;
}

std::string state_of_file(const std::string& path) {
  std::error_code ec;
  const auto size = fs::file_size(path, ec);
  const auto time = fs::last_write_time(path, ec);
  return path + "\n" + std::to_string(size) + "\n" +
         std::to_string(time.time_since_epoch().count()) + "\n";
}

}  // namespace

model::LlamaShape resolved_shape(const ExperimentConfig& config, std::int64_t vocab) {
  const auto& m = config.model;
  auto shape = m.from.empty() ? config::read<model::LlamaShape>(config::load_config(m.shape))
                              : model::read_model_head(m.from).shape;
  if (shape.vocab == 0) shape.vocab = vocab;
  if (shape.vocab < vocab && !m.from.empty()) {
    fail_input("model.from: " + m.from + " knows " + std::to_string(shape.vocab) +
                   " tokens, but the tokenizer has " + std::to_string(vocab),
               "use the model's own tokenizer in tokenizer.path");
  }
  if (shape.vocab < vocab) {
    fail_input(m.shape + ": vocab is " + std::to_string(shape.vocab) + ", but the tokenizer has " +
                   std::to_string(vocab) + " tokens",
               "set vocab to 0 to take the tokenizer's");
  }
  if (shape.max_positions < config.prompt.window) {
    fail_input("prompt.window is " + std::to_string(config.prompt.window) +
                   ", but the model ends at " + std::to_string(shape.max_positions) + " positions",
               "lower prompt.window or raise max_positions in the model's shape");
  }
  return shape;
}

std::string weights_sha256(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;  // by names, sizes and times of the files
  const auto files = model::open_model(path).files;
  std::string state;
  for (const auto& file : files) state += state_of_file(file);
  const std::lock_guard lock(mutex);
  auto& sha256 = known[state];
  if (sha256.empty()) {
    Sha256 all;
    for (const auto& file : files) all.update(sha256_file(file));
    sha256 = all.hex();
  }
  return sha256;
}

InitialModel make_model(const ExperimentConfig& config, std::int64_t vocab, at::Device device,
                        bool training) {
  const at::ScalarType dtype = dtype_of(config.model);
  const model::LlamaShape shape = resolved_shape(config, vocab);
  InitialModel made;
  auto& out = made.network;
  // Of weights that are rounded, those in fp32 come first, on the host.
  const bool rounds =
      training && learn::keeps_master(dtype) &&
      (config.model.from.empty() ||
       model::read_model_head(config.model.from).dtype.value_or(at::kFloat) != dtype);
  const at::ScalarType first = rounds ? at::kFloat : dtype;
  const at::Device place = rounds ? at::Device(at::kCPU) : device;
  if (!config.model.from.empty()) {
    out.reset(new model::Llama(model::load_weights(model::open_model(config.model.from), first,
                                                   place, training && !rounds)));
  } else {
    out = std::make_unique<model::Llama>(shape, first, place, training && !rounds);
    out->initialise(static_cast<std::uint64_t>(config.seed));
  }
  if (rounds) {
    made.master = out->parameters().flat();
    auto narrow = std::make_unique<model::Llama>(out->shape(), dtype, device, true);
    narrow->parameters().copy_from(out->parameters());
    out = std::move(narrow);
  }
  out->set_recompute(config.model.recompute);
  return made;
}

}  // namespace straq::experiment
