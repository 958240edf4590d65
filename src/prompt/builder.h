// From episodes to token ids: the comb that the learner trains on, and the single prompt of one
// state that the comb must equal. Both encode the same segments one by one and concatenate, so the
// ids of a state are a true prefix of the ids of the next state whatever the tokenizer does at
// borders (sentencepiece puts its dummy prefix on every segment: the same segment everywhere).
//
// Segments, in order:
// (BOS where the tokenizer's own convention or prompt.bos asks for it)
//   layout comb    trunk [BOS | instruction | options | question | situation | turn 0 | turn 1 | …]
//                  probe [answer's lead]
//   layout paper   trunk [BOS | instruction | situation | turn 0 | turn 1 | …]
//                  probe [options | question + answer's lead]
// The query of a state is its last seeker turn, at the end of the history. The token that the model
// predicts after the probe is the option's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "prompt/comb.h"
#include "prompt/comb_builder.h"
#include "prompt/render.h"
#include "text/tokenizer.h"

namespace straq::prompt {

class PromptBuilder : public CombBuilder {
 public:
  // Loads the config's template and encodes what every dialogue shares. Keeps references to the
  // tokenizer and the strategies. Throws Error(input) for a bad template, for more strategies than
  // there are option labels (9 digits, 26 letters), for prompt.bos true with a tokenizer that has
  // no BOS, and where option_ids does. In config() bos is set: where it was left out, by the
  // tokenizer.
  PromptBuilder(const PromptConfig& config, const dialogue::StrategySet& strategies,
                const text::Tokenizer& tokenizer);
  // With pieces that are already in memory; `source` names them in errors.
  PromptBuilder(const PromptConfig& config, Template pieces, const std::string& source,
                const dialogue::StrategySet& strategies, const text::Tokenizer& tokenizer);

  // The token of each option's label; where options are not shuffled, of each strategy. Checked
  // when the builder is made: after the probe's last segment each option must add exactly one token
  // and leave the segment's own tokens as they are, encode(segment + option) = encode(segment) +
  // [id], and the ids must differ. Throws Error(input) naming the tokenizer, the option and what
  // came out.
  const std::vector<TokenId>& option_ids() const override { return option_ids_; }

  // The whole dialogue as a comb: trunks[0] is every turn, also those after the last decision, cut
  // at the window (for the language-model objective); a decision whose state and probe do not fit
  // the window gets a trunk of its own without the oldest turns; so does the state after a seeker's
  // last words, which has a probe behind those of the decisions (Comb::final_state). Never dropped:
  // instruction, options, question, situation, and the turns from the last seeker turn on (the
  // query). Throws Error(input) naming the decision when these alone exceed the window. An episode
  // without decisions gives a comb without probes.
  Comb build_comb(const dialogue::Episode& episode) const override;

  // The prompt of the state before turn `turn` (0 … turns.size()), by itself: what build_comb gives
  // as trunk[0, attach) + probe for the decision at that turn. Same errors.
  std::vector<TokenId> full_prompt(const dialogue::Episode& episode, int turn) const;
  // The same prompt as text, segment by segment, not truncated.
  std::vector<std::string> segments(const dialogue::Episode& episode, int turn) const;
  // Its trunk part only: the dialogue up to turn `turn` as text.
  std::vector<std::string> trunk_segments(const dialogue::Episode& episode, int first_turn,
                                          int turn) const;
  // The options' order in the dialogue (prompt.options.shuffle).
  OptionOrder order_of(const dialogue::Episode& episode) const;

  // Renderer::fingerprint().
  const std::string& fingerprint() const override { return text_.fingerprint(); }
  int window() const override { return text_.config().window; }
  const PromptConfig& config() const { return text_.config(); }
  int strategy_count() const { return text_.strategies().size(); }
  // Tokens before the situation, the same in every dialogue: Trunk::header.
  int header_tokens() const { return static_cast<int>(header_.size()); }

 private:
  struct Unrolled;
  // The probe of the state before turn `turn`, with a trunk of its own where the whole dialogue's
  // exceeds the window; nothing where even the shortest one does.
  std::optional<Probe> probe_at(const dialogue::Episode& episode, int turn,
                                Unrolled& unrolled) const;
  int query_turn(const dialogue::Episode& episode, int turn) const;
  void find_option_ids();
  [[noreturn]] void fail_window(const dialogue::Episode& episode, int turn, std::size_t need) const;

  Renderer text_;
  const text::Tokenizer& tokenizer_;
  std::vector<TokenId> header_, probe_, option_ids_;
};

}  // namespace straq::prompt
