// The prompt as text, before any tokenizer: which segments a dialogue and a question become. It
// stands by itself because a tokenizer that is trained from scratch has to see these texts before
// there is anything to encode them with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "prompt/prompt_config.h"
#include "prompt/template.h"

namespace straq::prompt {

// Which strategy each option is, by its place in the list; empty: the strategies' order.
using OptionOrder = std::vector<std::int32_t>;
// The order that a dialogue has with prompt.options.shuffle: drawn from its id, so it is the same
// wherever the dialogue is rendered, for training and for asking.
OptionOrder shuffled_options(const std::string& dialogue, int strategies);

class Renderer {
 public:
  // `source` names the pieces in errors. Keeps a reference to the strategies. Throws Error(input)
  // for bad pieces and for more strategies than there are option labels (9 digits, 26 letters).
  Renderer(const PromptConfig& config, Template pieces, std::string source,
           const dialogue::StrategySet& strategies);

  // Segments before the situation, the same in every dialogue: instruction, and in layout comb the
  // options and the question.
  const std::vector<std::string>& header() const { return header_; }
  // Segments after the history: in layout comb the answer's lead, in layout paper the options and
  // the question with that lead. The option's token follows the last.
  const std::vector<std::string>& probe() const { return probe_; }
  // The same with the options in another order.
  std::vector<std::string> header(const OptionOrder& order) const;
  std::vector<std::string> probe(const OptionOrder& order) const;
  std::string situation(const dialogue::Episode& episode) const;  // with the history's heading
  std::string turn(const dialogue::Turn& turn, const OptionOrder& order = {}) const;
  // What answers the question, one an option in its place, as it directly follows the last probe
  // segment.
  const std::vector<std::string>& answers() const { return answers_; }

  const std::string& source() const { return source_; }
  const PromptConfig& config() const { return config_; }
  const dialogue::StrategySet& strategies() const { return strategies_; }
  // SHA-256 over all that shapes the prompt's text but the window and the tokenizer: pieces,
  // layout, switches, strategy names. Two equal fingerprints render every dialogue alike.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  std::string options(const OptionOrder& order) const;

  PromptConfig config_;
  Template pieces_;
  std::string source_;
  const dialogue::StrategySet& strategies_;
  std::vector<std::string> labels_;  // "1" or "A", one a strategy
  std::string question_, lead_;
  std::vector<std::string> answers_, header_, probe_;
  std::string fingerprint_;
};

// The labels that options are shown and answered with: "1", "2", … or "A", "B", …. Throws
// Error(input) when `count` strategies are more than the kind can label.
std::vector<std::string> option_labels(OptionTokens kind, int count);

// Every text that the template itself puts into prompts, each option behind the answer's lead among
// them: what a tokenizer that is trained from scratch has to see beside the corpus, or the
// options may get no tokens of their own.
std::vector<std::string> fixed_texts(const PromptConfig& config, const Template& pieces,
                                     const dialogue::StrategySet& strategies);

}  // namespace straq::prompt
