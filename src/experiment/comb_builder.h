// Who makes the combs of an experiment: a planner's prompts, or a responder's prompts and replies.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "prompt/comb_builder.h"
#include "text/model_chat_template.h"
#include "text/tokenizer.h"

namespace straq::experiment {

// Keeps references to strategies and tokenizer. Throws Error(input) as PromptBuilder and
// respond::ReplyCombs do, and as responder_chat does.
std::unique_ptr<prompt::CombBuilder> make_comb_builder(const ExperimentConfig& config,
                                                       const dialogue::StrategySet& strategies,
                                                       const text::Tokenizer& tokenizer);

// The chat template that a responder is trained in and that goes into its folder: that of
// model.from, else that beside tokenizer.path; none: the contents of messages one after another.
// Throws Error(input) for one that is not known.
std::optional<text::ModelChat> responder_chat(const ExperimentConfig& config);

// What prompts say beside the dialogues, for a tokenizer that is trained from scratch.
std::vector<std::string> fixed_texts(const ExperimentConfig& config,
                                     const dialogue::StrategySet& strategies);

}  // namespace straq::experiment
