#include "experiment/initial_model.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "dialogue/data_config.h"
#include "experiment/stages.h"
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

// The head of config.q; throws where model.from has another.
std::optional<model::StateHeadShape> wanted_head(
    const ExperimentConfig& config, const std::optional<model::StateHeadShape>& there) {
  const bool values = config.q.readout == planner::Readout::state_head;
  if (!values && !config.learn.dueling) return {};
  const auto options = dialogue::load_strategies(config.data).items().size();
  model::StateHeadShape wanted{values ? static_cast<std::int64_t>(options) : 1, config.q.head_width,
                               values ? config.q.head_bins : 0};
  if (wanted.bins > 0) {
    const auto& learn = config.learn;
    wanted.most =
        config.q.head_most > 0 ? config.q.head_most : learn.reward->largest_return(learn.gamma);
  }
  if (there && *there != wanted) {
    const auto words = [](const model::StateHeadShape& head) {
      std::string out =
          std::to_string(head.outputs) + " values and width " + std::to_string(head.inner);
      if (head.bins > 0) out += fmt::format(", {} parts of ±{}", head.bins, head.most);
      return out;
    };
    fail_input("model.from: " + config.model.from + " has a state head of " + words(*there) +
                   ", but the config asks for " + words(wanted),
               "set q.head_width, q.head_bins and q.head_most to the planner's");
  }
  return wanted;
}

// model.from's weights for a model of fewer layers, or that may have a head where they have none,
// or none where they have one. A new head is zero.
model::WeightsSource source_for(const std::string& from, const model::LlamaShape& shape) {
  auto source = model::open_model(from);
  const bool has = source.shape.state_head.has_value();
  source.shape.layers = shape.layers;
  source.shape.state_head = shape.state_head;
  if (has || !shape.state_head) return source;
  source.tensor = [inner = std::move(source.tensor)](const model::ParameterSpec& spec) {
    return spec.name.starts_with("state_head.") ? at::zeros(spec.shape) : inner(spec);
  };
  return source;
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
  if (!m.from.empty() && m.keep_layers > shape.layers) {
    fail_input("model.keep_layers is " + std::to_string(m.keep_layers) + ", but " + m.from +
                   " has " + std::to_string(shape.layers) + " layers",
               "name fewer, or 0 for all");
  }
  if (!m.from.empty() && m.keep_layers > 0) shape.layers = m.keep_layers;
  shape.state_head = wanted_head(config, shape.state_head);
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

model::TrainedPart trained_part(const ExperimentConfig& config, const model::LlamaShape& shape) {
  const auto layers = config.learn.freeze.layers;
  model::TrainedPart part{layers == learn::FreezeConfig::kAll ? shape.layers : layers,
                          config.model.lora};
  part.check(shape);
  if (part.lowest() == shape.layers && config.responder.trains()) {
    fail_input("learn.freeze.layers freezes every layer, so no responder can be trained",
               "freeze fewer layers");
  }
  if (part.lowest() == shape.layers && learns_text(config)) {
    fail_input("learn.freeze.layers freezes every layer, so nothing can learn from text",
               "freeze fewer layers, or set the objectives' lm to 0");
  }
  return part;
}

InitialModel make_model(const ExperimentConfig& config, std::int64_t vocab, at::Device device,
                        bool training) {
  const at::ScalarType dtype = dtype_of(config.model);
  const model::LlamaShape shape = resolved_shape(config, vocab);
  const model::TrainedPart part = training ? trained_part(config, shape) : model::TrainedPart{};
  InitialModel made;
  auto& out = made.network;
  // Of weights that are rounded, those in fp32 come first, on the host.
  const auto head =
      config.model.from.empty() ? model::ModelHead{} : model::read_model_head(config.model.from);
  const bool rounds = training && learn::keeps_master(dtype) &&
                      (config.model.from.empty() || head.dtype.value_or(at::kFloat) != dtype);
  const at::ScalarType first = rounds ? at::kFloat : dtype;
  const at::Device place = rounds ? at::Device(at::kCPU) : device;
  if (!config.model.from.empty()) {
    out.reset(new model::Llama(model::load_weights(source_for(config.model.from, shape), first,
                                                   place, training && !rounds, part)));
  } else {
    out = std::make_unique<model::Llama>(shape, first, place, training && !rounds, part);
    out->initialise(static_cast<std::uint64_t>(config.seed), config.model.init_std);
  }
  out->initialise_adapter(static_cast<std::uint64_t>(config.seed));
  if (!head.shape.state_head) out->initialise_state_head(static_cast<std::uint64_t>(config.seed));
  if (rounds) {
    made.master = out->parameters().flat();
    auto narrow = std::make_unique<model::Llama>(out->shape(), dtype, device, true, part);
    narrow->copy_from(*out);
    out = std::move(narrow);
  }
  out->set_recompute(config.model.recompute);
  return made;
}

}  // namespace straq::experiment
