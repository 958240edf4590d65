// Which parameters of a model training changes: all of them, those above some frozen layers, or the
// factors of a LoRA adapter beside frozen weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/fields.h"
#include "model/arena.h"

namespace straq::model {

struct LlamaShape;

// A LoRA adapter (Hu et al. 2021) to be trained: each weight W that it names becomes
// W + alpha / rank B A with B [outputs, rank], which starts at zero, and A [rank, inputs].
struct LoraConfig {
  std::int64_t rank = 0;  // 0: no adapter
  double alpha = 32;
  // Of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; the same in every layer.
  std::vector<std::string> targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                      "gate_proj", "up_proj", "down_proj"};
  double scale() const { return rank > 0 ? alpha / static_cast<double>(rank) : 0; }
  void fields(config::Fields& f);
};

struct TrainedPart {
  // Layers from the first that stay as they are, and the embedding with them; all of them: the
  // final norm and an output projection of its own are what is left. 0: nothing is frozen.
  std::int64_t frozen_layers = 0;
  // With a rank: factors in the layers that are not frozen, and a state head; no other weights.
  LoraConfig lora;

  bool everything() const { return frozen_layers == 0 && lora.rank == 0; }
  // The lowest layer in which something is trained (the shape's number of layers: none is).
  std::int64_t lowest() const { return frozen_layers; }
  // Throws Error(input) naming the key: more frozen layers than there are, an adapter without a
  // layer to be in, unknown or repeated targets.
  void check(const LlamaShape& shape) const;
};

// The parameters of a shape divided: those that stay and those that are trained, in the order of
// parameter_specs(). A factor is named by its weight: "model.layers.0.mlp.up_proj.lora_A.weight".
// Factors of weights that are one map (q, k and v; gate and up) lie beside each other, the A before
// the B.
struct DividedSpecs {
  std::vector<ParameterSpec> frozen, trained;
};
DividedSpecs divide(const LlamaShape& shape, const TrainedPart& part);
// "model.layers.7.mlp.up_proj.weight" -> 7; -1 for what is in no layer.
std::int64_t layer_of(const std::string& name);
// Numbers in the trained parameters.
std::int64_t trained_count(const LlamaShape& shape, const TrainedPart& part);

// "…up_proj.weight" -> "…up_proj.lora_A.weight"; `factor` is 'A' or 'B'.
std::string factor_name(const std::string& weight, char factor);

}  // namespace straq::model
