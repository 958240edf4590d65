// Training tokenizers, for models from scratch: sentencepiece through its own trainer, and
// byte-level BPE written as a tokenizer.json that Hugging Face tokenizers reads to the same ids.
// Both are deterministic: the same texts and options give the same bytes.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "config/fields.h"

namespace straq::text {

enum class TokenizerKind { byte_bpe, sentencepiece };
enum class SplitStyle { gpt2, llama3 };
enum class PieceModel { bpe, unigram };

// Their words, in configs, commands and files.
inline constexpr std::initializer_list<config::Choice<TokenizerKind>> kTokenizerKinds = {
    {"byte_bpe", TokenizerKind::byte_bpe}, {"sentencepiece", TokenizerKind::sentencepiece}};
inline constexpr std::initializer_list<config::Choice<SplitStyle>> kSplitStyles = {
    {"gpt2", SplitStyle::gpt2}, {"llama3", SplitStyle::llama3}};
inline constexpr std::initializer_list<config::Choice<PieceModel>> kPieceModels = {
    {"bpe", PieceModel::bpe}, {"unigram", PieceModel::unigram}};

struct TrainOptions {
  TokenizerKind kind = TokenizerKind::byte_bpe;
  int vocab_size = 4096;  // special tokens included
  // Special tokens beside "<s>" and "</s>", which every trained tokenizer has.
  std::vector<std::string> specials;

  SplitStyle split = SplitStyle::llama3;  // byte_bpe: the pattern that cuts text into pieces
  int min_frequency = 2;                  // byte_bpe: pairs seen less often do not merge

  PieceModel model = PieceModel::bpe;  // sentencepiece
  bool dummy_prefix = true;            // sentencepiece: a blank before each text, as Llama 2 has it
  bool split_digits = true;            // sentencepiece: each digit its own piece
  double character_coverage = 0.9999;  // sentencepiece: rarer characters are spelled as bytes
  int threads = 1;                     // sentencepiece's trainer

  void fields(config::Fields& f);
};

// Trains on `texts`, each one sample, and returns the bytes of the tokenizer's file: tokenizer.json
// or a sentencepiece model (identity normalisation, byte fallback, blanks kept as they are: text
// survives encoding and decoding). Throws Error(input) when the texts hold too little for
// vocab_size, when vocab_size has no room for bytes and special tokens, or for text that is no
// UTF-8.
std::string train_byte_bpe(const std::vector<std::string>& texts, const TrainOptions& options);
std::string train_sentencepiece(const std::vector<std::string>& texts, const TrainOptions& options);

// Trains by options.kind and writes the file whole or not at all.
void train_tokenizer(const std::vector<std::string>& texts, const TrainOptions& options,
                     const std::string& path);

// "tokenizer.json" or "tokenizer.model": what open_tokenizer() finds in a folder.
const char* tokenizer_file_name(TokenizerKind kind);

}  // namespace straq::text
