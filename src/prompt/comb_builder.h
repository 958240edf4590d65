// Who makes combs of dialogues: for a planner PromptBuilder, for a responder respond::ReplyCombs.
// Shards are made by either.
#pragma once

#include <string>
#include <vector>

#include "dialogue/dialogue.h"
#include "prompt/comb.h"

namespace straq::prompt {

class CombBuilder {
 public:
  virtual ~CombBuilder() = default;
  // Throws Error(input) naming the decision that exceeds the window.
  virtual Comb build_comb(const dialogue::Episode& episode) const = 0;
  // SHA-256 over all that decides on the tokens beside tokenizer, dialogues and window.
  virtual const std::string& fingerprint() const = 0;
  // The token of each option, in the strategies' order; none where nothing is chosen by a token.
  virtual const std::vector<TokenId>& option_ids() const = 0;
  virtual int window() const = 0;  // tokens of a sequence, at most
};

}  // namespace straq::prompt
