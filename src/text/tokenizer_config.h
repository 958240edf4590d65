// The `tokenizer:` section of a config: one that exists, or one to be trained as a step of
// preprocessing. Training happens once, on one rank, before anything is tokenised; the result is
// kept under a name made of its options and texts, so that asking again costs a hash.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "text/tokenizer.h"
#include "text/training/train.h"

namespace straq::text {

struct TokenizerConfig {
  std::string path;                   // a file or folder that open_tokenizer() takes
  std::optional<TrainOptions> train;  // or what to train

  void fields(config::Fields& f) {
    f("path", path);
    f("train", train);
  }
};

// Throws Error(input) unless exactly one of path and train is given.
void check_tokenizer(const TokenizerConfig& config);

// SHA-256 over the options and the texts: two equal keys mean the same tokenizer.
std::string training_key(const TrainOptions& options, const std::vector<std::string>& texts);

// The path of the tokenizer, ready for open_tokenizer(). With `path` that path (which must exist).
// With `train` it is <out_folder>/<kind>-<vocab_size>-<start of the key>/tokenizer.{json,model}; it
// is trained and written there unless it is there already with the same key and whole. `texts` are
// not used with `path`. Only one process may prepare a folder at a time (the coordinator does).
std::string prepare_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& texts,
                              const std::string& out_folder);

}  // namespace straq::text
