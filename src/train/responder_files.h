// A responder as files: a Hugging Face folder that `straq respond` and `straq generate` take as a
// model, with the chat template that it was trained in.
#pragma once

#include <string>

#include "core/run_inputs.h"
#include "experiment/experiment.h"
#include "model/llama.h"
#include "planner/card.h"
#include "shard/dataset.h"

namespace straq::train {

// Beside the weights: what was learned, and under which prompts. For people, and for `straq
// evaluate`, which looks whether weights and run belong together.
inline constexpr const char* kResponderCard = "responder.json";

// A responder's folder without the weights, in memory: gathered before training, so that nothing
// that is edited or removed meanwhile changes it.
struct ResponderFiles {
  planner::NamedFiles tokenizer;
  std::string chat_template;  // Jinja; empty: none
  std::string card;           // responder.json
};
// Throws Error(input) where tokenizer, wordings or chat template are no longer what the shards were
// made with.
ResponderFiles gather_responder(const experiment::ExperimentConfig& config,
                                const shard::DatasetView& data, const std::string& tokenizer,
                                const RunInputs& inputs);

// Weights first, responder.json last. Where an adapter was trained its products are in the weights,
// and `adapter` holds it alone, for the model `base`.
void save_responder(const model::Llama& model, const ResponderFiles& files,
                    const std::string& folder, const std::string& base);

}  // namespace straq::train
