// Combs that a responder is trained on: a dialogue's prompts, each of which `straq respond` would
// send for a decision, and behind each what the model should have answered. The prompts of a
// dialogue begin alike, so one trunk holds what they share and each decision is a branch: the rest
// of its prompt and its target.
//
//   trunk    [chat's beginning | strategies | background | turn 0 | turn 1 | turn 2 | … ]
//                                                    ^ attach            ^ attach
//   branch                                           [ask | chat's end | target]
//
// Every prompt is encoded as a whole, by the code that encodes it for a model of local weights
// (text::encode_chat), and the branch begins where its tokens leave the trunk's: whatever tokenizer
// or chat template there is, trunk[0, attach) + branch are the prompt's own tokens, then the
// target's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "prompt/comb_builder.h"
#include "respond/methods/methods.h"
#include "respond/scene.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace straq::respond {

// The `responder:` section of an experiment: a run with a method trains a model that writes
// replies, in place of a planner.
struct ResponderConfig {
  // direct: strategy line and reply are learned; straq: the reply that follows a given strategy.
  std::string method = "none";
  std::string wordings = "configs/replies";
  ContextConfig context;  // what is shown, as reply.context of `straq respond`
  void fields(config::Fields& f);
  bool trains() const { return method != "none"; }
};

// What a model that is asked by the method should have answered to a decision of the corpus. Where
// it names the strategy it does so as the method asks for it, so that parse.h reads it.
struct TargetText {
  std::string lead;   // "Strategy: Question\nReply:"; empty where the strategy is given
  std::string reply;  // "How are you?"
  std::string whole() const { return lead.empty() ? reply : lead + " " + reply; }
};

class ReplyCombs : public prompt::CombBuilder {
 public:
  // Reads the wordings. Keeps references to strategies and tokenizer. Throws Error(input) as the
  // readers do, for a method that nothing can be trained for, and where the tokenizer lacks a
  // special token of the chat format or one that ends a reply.
  ReplyCombs(const ResponderConfig& config, int window, const dialogue::StrategySet& strategies,
             const text::Tokenizer& tokenizer, const text::ChatFormat& format);

  // A decision whose prompt and target exceed the window is shown without the oldest turns, as
  // `straq respond` shows it with a smaller context.turns. Throws Error(input) naming the decision
  // whose last turn alone exceeds it. A dialogue without decisions gives an empty trunk.
  prompt::Comb build_comb(const dialogue::Episode& episode) const override;
  const std::string& fingerprint() const override { return fingerprint_; }
  const std::vector<prompt::TokenId>& option_ids() const override { return no_options_; }
  int window() const override { return window_; }

  // The chat that the method asks first when it replies to the decision, of all turns or of the
  // last `turns`.
  std::vector<language::Message> messages(const dialogue::Episode& episode,
                                          const dialogue::Decision& decision,
                                          std::int64_t turns) const;
  TargetText target(const dialogue::Episode& episode, const dialogue::Decision& decision) const;

 private:
  struct Sequence;
  std::vector<prompt::TokenId> prompt_of(const dialogue::Episode& episode,
                                         const dialogue::Decision& decision,
                                         std::int64_t turns) const;
  Sequence sequence_of(const dialogue::Episode& episode, const dialogue::Decision& decision) const;

  ResponderConfig config_;
  int window_;
  const dialogue::StrategySet& strategies_;
  const text::Tokenizer& tokenizer_;
  text::ChatFormat format_;
  ContextWording wording_;
  Method method_;
  prompt::TokenId end_;
  std::string fingerprint_;
  std::vector<prompt::TokenId> no_options_;
};

// The texts that prompts of a responder are made of beside the dialogues, and its targets' leads:
// what a tokenizer that is trained from scratch has to see.
std::vector<std::string> fixed_texts(const ResponderConfig& config,
                                     const dialogue::StrategySet& strategies);

}  // namespace straq::respond
