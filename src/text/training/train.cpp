#include "text/training/train.h"

#include "core/error.h"
#include "core/files/files.h"

namespace straq::text {

void TrainOptions::fields(config::Fields& f) {
  f.choice("kind", kind, kTokenizerKinds);
  f("vocab_size", vocab_size, config::between(260, 1'000'000));
  f("specials", specials);
  f.choice("split", split, kSplitStyles);
  f("min_frequency", min_frequency, config::at_least(1));
  f.choice("model", model, kPieceModels);
  f("dummy_prefix", dummy_prefix);
  f("split_digits", split_digits);
  f("character_coverage", character_coverage, config::between(0.9, 1));
  f("threads", threads, config::between(1, 1024));
}

const char* tokenizer_file_name(TokenizerKind kind) {
  return kind == TokenizerKind::byte_bpe ? "tokenizer.json" : "tokenizer.model";
}

void train_tokenizer(const std::vector<std::string>& texts, const TrainOptions& options,
                     const std::string& path) {
  write_file_atomic(path, options.kind == TokenizerKind::byte_bpe
                              ? train_byte_bpe(texts, options)
                              : train_sentencepiece(texts, options));
}

}  // namespace straq::text
