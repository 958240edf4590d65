// Small tokenizers for tests, trained on made-up text when first asked for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/files/files.h"
#include "tests/testing.h"
#include "text/tokenizer.h"
#include "text/training/train.h"

namespace straq::text::testing {

inline std::vector<std::string> made_up_texts() {
  const std::vector<std::string> who = {"I",
                                        "my friend",
                                        "the neighbour",
                                        "our teacher",
                                        "nobody",
                                        "that quiet colleague",
                                        "his grandmother"};
  const std::vector<std::string> what = {"felt tired",
                                         "was listening",
                                         "walked home slowly",
                                         "couldn't sleep",
                                         "wrote 27 letters",
                                         "found new work",
                                         "remembered something difficult",
                                         "gave helpful advice"};
  const std::vector<std::string> when = {"yesterday.",
                                         "last winter!",
                                         "at 10 o'clock,",
                                         "after the long meeting?",
                                         "because it's raining…",
                                         "without giving reasons;"};
  std::vector<std::string> texts;
  for (const auto& a : who) {
    for (const auto& b : what) {
      for (const auto& c : when) texts.push_back(a + " " + b + " " + c);
    }
  }
  return texts;
}

inline TrainOptions small(TokenizerKind kind, int vocab_size = 400) {
  TrainOptions options;
  options.kind = kind;
  options.vocab_size = vocab_size;
  return options;
}

// The tokenizer of a file's bytes, which need not outlive the call.
inline std::unique_ptr<Tokenizer> opened(const std::string& bytes, const std::string& name) {
  const straq::testing::TemporaryFolder folder;
  write_file_atomic(folder.path(name), bytes);
  return open_tokenizer(folder.path(name));
}

inline std::unique_ptr<Tokenizer> byte_bpe(SplitStyle split = SplitStyle::llama3) {
  auto options = small(TokenizerKind::byte_bpe);
  options.split = split;
  return opened(train_byte_bpe(made_up_texts(), options), "tokenizer.json");
}

inline std::unique_ptr<Tokenizer> sentencepiece(PieceModel model = PieceModel::bpe,
                                                bool dummy_prefix = true) {
  auto options = small(TokenizerKind::sentencepiece, model == PieceModel::bpe ? 400 : 330);
  options.model = model;
  options.dummy_prefix = dummy_prefix;
  return opened(train_sentencepiece(made_up_texts(), options), "tokenizer.model");
}

inline std::vector<std::string> hard_strings() {
  return {"",
          " ",
          "   ",
          "\n\n",
          "\r\n x\r",
          "a \t b",
          "I'm HE'LL we'Ve it's",
          "1234567 12.5 3rd",
          "caf\xC3\xA9 e\xCC\x81",
          "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
          "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xE4\xBD\xA0\xE5\xA5\xBD",
          std::string("a\0b\x01\x7f", 5),
          "\xC2\xA0\xE3\x80\x80 x",
          "<s> </s> <|begin_of_text|>",
          "\xE2\x96\x81 \xE2\x96\x81word",
          "trailing  ",
          "  leading",
          std::string(3000, ' ') + "x",
          std::string(3000, 'a'),
          std::string(200, '9')};
}

}  // namespace straq::text::testing
