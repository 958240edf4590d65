// planner.json: all that a planner needs beside its weights and its tokenizer to be asked in the
// words that it was trained with. A planner is only meaningful with the exact prompt, so the prompt
// is in its folder, as text, and not where a config once pointed to.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "planner/readout.h"
#include "prompt/prompt_config.h"
#include "prompt/template.h"

namespace straq::planner {

inline constexpr int kCardFormat = 2;
inline constexpr const char* kCardName = "planner.json";

struct Card {
  QConfig q;
  std::vector<std::int32_t> option_ids;        // in the strategies' order
  std::vector<dialogue::Strategy> strategies;  // with definitions and other spellings
  std::vector<double> option_shift;            // Reading::shift; empty: none
  double gamma = 0;
  dialogue::MergeLabel merge_label = dialogue::MergeLabel::first;  // how utterances become turns
  prompt::PromptConfig prompt;  // `bos` decided; `template` says where the text once lay
  prompt::Template pieces;      // the template's text
  // Of what shards are made with (shard::ShardKey), and RunInputs::hex() of the run.
  std::string prompt_fingerprint, tokenizer_fingerprint, inputs_sha256;

  void fields(config::Fields& f);
  // `folder`/planner.json, atomically.
  void write(const std::string& folder) const;
  // Throws Error(input) naming the file for one that is missing, a Git LFS pointer, malformed or of
  // another format.
  static Card read(const std::string& folder);
};

using NamedFiles = std::vector<std::pair<std::string, std::string>>;  // names and bytes
// What a folder must hold for the tokenizer at `tokenizer` to be opened there. Throws Error(input)
// as open_tokenizer does.
NamedFiles tokenizer_files(const std::string& tokenizer);
// Files of another tokenizer are removed.
void write_tokenizer(const std::string& folder, const NamedFiles& files);

// A planner's folder without the weights, in memory: gathered before training, so that nothing that
// is edited or removed meanwhile changes or costs the planner.
struct Companions {
  Card card;
  NamedFiles tokenizer;

  // Reads the template that card.prompt names and the tokenizer at `tokenizer`, and completes
  // `card`: pieces, the decision on BOS, option ids and fingerprints. The rest is the caller's.
  // Throws Error(input) as PromptBuilder and open_tokenizer do.
  static Companions gather(Card card, const std::string& tokenizer);
  // Beside weights that are there; planner.json comes last. Tokenizer files of another planner are
  // removed.
  void write(const std::string& folder) const;
};

}  // namespace straq::planner
