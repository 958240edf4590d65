// A planner that can be asked: opened from its folder alone, it answers about dialogues that are
// over and about one that is in progress. It builds prompts by the code that preprocessing builds
// them by, so what it is asked is what it was trained and scored on.
//
//   const auto planner = planner::Planner::open("results/esconv/seed-1/planner");
//   const at::Tensor q = planner.q_next(history);  // [K], one a strategy
//   const int strategy = planner.choose(history);  // the greatest of them
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "model/llama.h"
#include "planner/ask.h"
#include "planner/card.h"
#include "prompt/builder.h"
#include "text/tokenizer.h"

namespace straq::planner {

struct OpenOptions {
  at::Device device = at::kCPU;
  // Of the computation; without: that of the weights' files, which is the one it was trained in
  // (fp32 for fp16 files).
  std::optional<at::ScalarType> dtype;
  std::int64_t micro_tokens = 8192;  // of a forward pass, at most
};

class Planner {
 public:
  // `folder` is a planner's, or a run's that holds one. Nothing outside of it is read. Throws
  // Error(input) naming the file and what differs where a part is missing, damaged or not the one
  // that planner.json speaks of, and what reading weights and tokenizers throws.
  static Planner open(const std::string& folder, const OpenOptions& options = {});

  const std::string& folder() const { return folder_; }
  const Card& card() const { return card_; }
  const dialogue::StrategySet& strategies() const { return *strategies_; }
  const prompt::PromptBuilder& prompts() const { return *prompts_; }
  const model::Llama& model() const { return *model_; }
  Reading reading() const;

  // Q of every decision of the dialogues, [decisions, K] fp32 on the host, in order. A dialogue
  // longer than the window is asked as in preprocessing: without its oldest turns. Throws
  // Error(input) as PromptBuilder::build_comb does. To the bit the same as evaluation's where the
  // same dialogues are asked together with the same micro_tokens; by themselves to rounding.
  at::Tensor q(const std::vector<prompt::Comb>& combs) const;
  at::Tensor q(const std::vector<dialogue::Episode>& episodes) const;
  at::Tensor q(const dialogue::Episode& episode) const;
  // Q of the supporter turn that comes next, [K]. Throws Error(input) unless the seeker spoke last.
  at::Tensor q_next(const dialogue::Episode& history) const;
  // choice() of it.
  int choose(const dialogue::Episode& history) const;

 private:
  Planner() = default;

  std::string folder_;
  Card card_;
  // On the heap: the builder refers to them, wherever the planner is moved.
  std::unique_ptr<dialogue::StrategySet> strategies_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<prompt::PromptBuilder> prompts_;
  std::unique_ptr<model::Llama> model_;
  at::Tensor option_ids_;
  std::int64_t micro_tokens_ = 0;
};

// Whether the seeker has spoken last, so that the supporter is to answer.
bool awaits_answer(const dialogue::Episode& episode);
// The dialogue with one decision more, at the supporter turn that comes next (gold -1). Throws
// Error(input) unless awaits_answer().
dialogue::Episode with_next(dialogue::Episode history);

}  // namespace straq::planner
