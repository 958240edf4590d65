// The byte-pair tokenizer that tiktoken's, GPT-2's and Hugging Face's files all describe: tokens
// that are found in text as they stand, a normalizer, a pre-tokenizer, merges over bytes or over
// characters, and special tokens that text never turns into.
//
// encode() takes valid UTF-8 only and throws Error(input) with the byte's offset for anything else:
// the references take Python strings, which can't hold such bytes, so there is no id sequence that
// would be theirs. decode() gives bytes; ids cut inside a character give an incomplete one.
//
// A special token whose text the merges make anyway (a pad token "!") is no secret of the
// vocabulary: it is found in text as the references find it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "text/beside.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/tokenizers/added_tokens.h"
#include "text/tokenizers/bpe.h"
#include "text/tokenizers/normalizer.h"

namespace straq::text {

struct BpeParts {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  bool add_prefix_space = false;  // a blank is put before text that starts with none
  BytePairEncoder encoder;
  std::vector<std::string> tokens;  // by id: bytes, or the spelling of a special token
  std::map<std::string, TokenId, std::less<>> specials;  // by spelling, aliases included
  TokenFinder raw_words, words;  // found in the text as it is, and in normalized text
  // What decode() leaves out: the blank before the text, and before all text behind a special
  // token.
  bool strip_first = false, strip_each = false;
  std::optional<TokenId> bos, eos;
  bool adds_bos = false;
  std::string fingerprint;
};

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeParts parts);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(const std::vector<TokenId>& ids) const override;
  int vocab_size() const override { return static_cast<int>(parts_.tokens.size()); }
  std::optional<TokenId> special(std::string_view token) const override;
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  bool adds_bos() const override { return parts_.adds_bos; }
  std::string fingerprint() const override { return parts_.fingerprint; }

 private:
  void encode_raw(std::string_view text, bool at_start, PieceMap* memory,
                  std::vector<TokenId>& ids) const;
  void encode_plain(std::string_view text, bool at_start, PieceMap* memory,
                    std::vector<TokenId>& ids) const;

  BpeParts parts_;
  std::vector<bool> is_special_;  // by id
  // One caller at a time uses the memory of pieces; another one that comes meanwhile goes without.
  mutable std::mutex memory_mutex_;
  mutable PieceMap memory_;
};

// Files of one kind each; open_tokenizer() finds out which. All throw Error(input) naming the file.
// `beside` says what files beside it add (see beside.h).
//
// Llama 3's tiktoken rank file, known by its ranks, with the Llama 3 split pattern and 256 special
// tokens after the last rank, three of them also by the names that Llama 3.1 gave them. The ranks
// of any other family are refused: neither its split pattern nor its special tokens are in the
// file.
std::unique_ptr<Tokenizer> open_tiktoken(const std::string& path, const Beside& beside);
// A tokenizer.json of a BPE model over bytes (GPT-2's kind, Llama 3's) or over characters
// (sentencepiece's kind, Llama 2's). What it holds that would give other ids here is refused by
// name.
std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path, const Beside& beside);
// The same of the text of a tokenizer.json that the file `path` amounts to.
std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path, std::string bytes,
                                             const Beside& beside);
// GPT-2's pair of files, with GPT-2's split pattern. Entries of the vocabulary that are neither a
// byte nor the result of a merge are special tokens.
std::unique_ptr<Tokenizer> open_vocab_merges(const std::string& vocab, const std::string& merges,
                                             const Beside& beside);

}  // namespace straq::text
