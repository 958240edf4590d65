#include "model/trained_part.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "core/error.h"
#include "model/llama.h"

namespace straq::model {
namespace {

// The weights of a layer that an adapter may change, those of one map beside each other.
struct Group {
  std::vector<const char*> weights;
};
const std::array<Group, 4>& groups() {
  static const std::array<Group, 4> all{
      {{{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
       {{"self_attn.o_proj"}},
       {{"mlp.gate_proj", "mlp.up_proj"}},
       {{"mlp.down_proj"}}}};
  return all;
}

std::string_view short_name(std::string_view weight) {
  return weight.substr(weight.find('.') + 1);
}

bool known_target(const std::string& name) {
  for (const auto& group : groups()) {
    for (const std::string_view weight : group.weights) {
      if (short_name(weight) == name) return true;
    }
  }
  return false;
}

std::vector<ParameterSpec> factor_specs(const LlamaShape& shape, const TrainedPart& part) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& spec : parameter_specs(shape)) shapes.emplace(spec.name, spec.shape);
  const auto chosen = [&](std::string_view weight) {
    const auto& targets = part.lora.targets;
    return std::find(targets.begin(), targets.end(), short_name(weight)) != targets.end();
  };
  std::vector<ParameterSpec> out;
  for (std::int64_t i = part.frozen_layers; i < shape.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    for (const auto& group : groups()) {
      for (const char factor : {'A', 'B'}) {
        for (const char* weight : group.weights) {
          if (!chosen(weight)) continue;
          const std::string name = layer + weight + ".weight";
          const auto& dims = shapes.at(name);
          out.push_back({factor_name(name, factor), factor == 'A'
                                                        ? std::vector{part.lora.rank, dims[1]}
                                                        : std::vector{dims[0], part.lora.rank}});
        }
      }
    }
  }
  return out;
}

}  // namespace

void LoraConfig::fields(config::Fields& f) {
  f("rank", rank, config::between(0, 4096));
  f("alpha", alpha, config::above(0));
  f("targets", targets);
}

std::int64_t layer_of(const std::string& name) {
  constexpr std::string_view begin = "model.layers.";
  return name.starts_with(begin) ? std::stoll(name.substr(begin.size())) : -1;
}

std::string factor_name(const std::string& weight, char factor) {
  const auto end = weight.rfind(".weight");
  return weight.substr(0, end) + ".lora_" + factor + ".weight";
}

void TrainedPart::check(const LlamaShape& shape) const {
  if (frozen_layers > shape.layers) {
    fail_input("learn.freeze.layers is " + std::to_string(frozen_layers) + ", but the model has " +
                   std::to_string(shape.layers) + " layers",
               "name fewer, or all");
  }
  if (lora.rank == 0) return;
  if (lora.targets.empty()) {
    fail_input("model.lora.targets is empty", "name the weights that the adapter changes: q_proj");
  }
  for (const auto& target : lora.targets) {
    if (!known_target(target)) {
      fail_input("model.lora.targets: a layer has no weight named \"" + target + "\"",
                 "choose from q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj");
    }
    if (std::count(lora.targets.begin(), lora.targets.end(), target) > 1) {
      fail_input("model.lora.targets names " + target + " twice", "name each once");
    }
  }
  if (frozen_layers == shape.layers) {
    fail_input("model.lora has no layer to be in: learn.freeze.layers freezes all " +
                   std::to_string(shape.layers),
               "freeze fewer layers, or set model.lora.rank: 0");
  }
}

DividedSpecs divide(const LlamaShape& shape, const TrainedPart& part) {
  part.check(shape);
  auto all = parameter_specs(shape);
  DividedSpecs out;
  if (part.lora.rank > 0) {
    out.trained = factor_specs(shape, part);
    for (auto& spec : all) {
      (spec.name.starts_with("state_head.") ? out.trained : out.frozen).push_back(std::move(spec));
    }
    return out;
  }
  for (auto& spec : all) {
    const auto layer = layer_of(spec.name);
    const bool stays = part.frozen_layers > 0 && (spec.name == "model.embed_tokens.weight" ||
                                                  (layer >= 0 && layer < part.frozen_layers));
    (stays ? out.frozen : out.trained).push_back(std::move(spec));
  }
  return out;
}

std::int64_t trained_count(const LlamaShape& shape, const TrainedPart& part) {
  if (part.everything()) return shape.parameter_count();
  std::int64_t sum = 0;
  for (const auto& spec : divide(shape, part).trained) {
    std::int64_t n = 1;
    for (const auto d : spec.shape) n *= d;
    sum += n;
  }
  return sum;
}

}  // namespace straq::model
