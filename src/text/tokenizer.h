// Tokenizers behind one interface, with the exact ids of the reference implementations.
//
//   const auto tokenizer = open_tokenizer("models/llama-1b");
//   const auto ids = tokenizer->encode("I feel better now.");
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_id.h"

namespace straq::text {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of a piece of text, no special tokens added and none recognised in the text. Text is UTF-8;
  // invalid bytes are handled as the reference does (see each implementation).
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  // Text of ids; ids of special tokens give their own spelling. Throws Error(input) for an id
  // outside the vocabulary.
  virtual std::string decode(const std::vector<TokenId>& ids) const = 0;

  virtual int vocab_size() const = 0;  // special tokens included
  // Id of a special token by its spelling ("<|begin_of_text|>", "<s>"); empty when there is none.
  virtual std::optional<TokenId> special(std::string_view token) const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  // Whether the model's own texts begin with bos(): what the tokenizer's files say
  // (docs/formats.md, "Tokenizers"). encode() never puts it there.
  virtual bool adds_bos() const { return bos().has_value(); }
  // "sentencepiece:<hash>", "tiktoken:<hash>", …: the kind and a SHA-256 over all that decides on
  // ids, as it is written into shards and checked when they are used. It is the hash of the
  // tokenizer's own file, or, where files beside that change what it says, a hash over both.
  virtual std::string fingerprint() const = 0;
};

// Opens a tokenizer by what `path` is: a sentencepiece model, Llama 3's tiktoken rank file
// (tokenizer.model), a Hugging Face tokenizer.json, a GGUF file (the tokenizer in it), or a folder
// that holds one of these but the last, or vocab.json with merges.txt. In a folder with several,
// tokenizer.model is taken before tokenizer.json (but tokenizer.json before a rank file) and both
// before vocab.json, and they must hold the same vocabulary. tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and generation_config.json beside it are read too.
// Throws Error(input) naming the file and what was expected.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path);

// The files that open_tokenizer(path) reads or may read: what has to be copied along.
std::vector<std::string> files_of_tokenizer(const std::string& path);

// A tokenizer's file and the name that it has in a folder of its own.
struct TokenizerCopy {
  std::string path, name;
};
// What a folder must hold for open_tokenizer(folder) to give the tokenizer that
// open_tokenizer(path) gives: files_of_tokenizer(), one that was named by itself under the name
// that folders are searched for. Throws Error(input) as open_tokenizer does.
std::vector<TokenizerCopy> copies_of_tokenizer(const std::string& path);
// Every name that copies can have.
std::vector<std::string> names_of_copies();

}  // namespace straq::text
