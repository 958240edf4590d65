// The byte-level BPE tokenizer that tiktoken's, GPT-2's and Hugging Face's files all describe:
// a pre-tokenizer, merges over bytes, and special tokens that text never turns into.
//
// encode() takes valid UTF-8 only and throws Error(input) with the byte's offset for anything else:
// the references take Python strings, which can't hold such bytes, so there is no id sequence that
// would be theirs. decode() gives bytes; ids cut inside a character give an incomplete one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "text/bpe.h"
#include "text/split.h"
#include "text/tokenizer.h"

namespace straq::text {

struct ByteBpeParts {
  PreTokenizer pre_tokenizer;
  bool add_prefix_space = false;  // a blank is put before text that starts with none
  BytePairEncoder encoder;
  std::vector<std::string> tokens;  // by id: bytes, or the spelling of a special token
  std::map<std::string, TokenId, std::less<>> specials;  // by spelling, aliases included
  // Tokens that the reference finds in the text before anything else although they are not special
  // (a tokenizer.json's added tokens with special = false), longest match first.
  std::map<std::string, TokenId, std::less<>> words;
  std::optional<TokenId> bos, eos;
  std::string fingerprint;
};

class ByteBpeTokenizer final : public Tokenizer {
 public:
  explicit ByteBpeTokenizer(ByteBpeParts parts);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(const std::vector<TokenId>& ids) const override;
  int vocab_size() const override { return static_cast<int>(parts_.tokens.size()); }
  std::optional<TokenId> special(std::string_view token) const override;
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::string fingerprint() const override { return parts_.fingerprint; }

 private:
  void encode_plain(std::string_view text, PieceMap* memory, std::vector<TokenId>& ids) const;

  ByteBpeParts parts_;
  std::array<bool, 256> word_starts_{};  // first bytes of parts_.words
  // One caller at a time uses the memory of pieces; another one that comes meanwhile goes without.
  mutable std::mutex memory_mutex_;
  mutable PieceMap memory_;
};

// First of the usual names that `specials` holds: beginning and end of text.
std::optional<TokenId> usual_bos(const std::map<std::string, TokenId, std::less<>>& specials);
std::optional<TokenId> usual_eos(const std::map<std::string, TokenId, std::less<>>& specials);

// Files of one kind each; open_tokenizer() finds out which. All throw Error(input) naming the file.
//
// A tiktoken rank file is read as Meta reads Llama 3's: the Llama 3 split pattern, and 256 special
// tokens after the last rank. The three that Llama 3.1 renamed are known by both names.
std::unique_ptr<Tokenizer> open_tiktoken(const std::string& path);
// A tokenizer.json of a byte-level BPE model. Added tokens that are special are not recognised in
// text, the others are. tokenizer_config.json beside it, if there, names bos and eos.
std::unique_ptr<Tokenizer> open_hugging_face(const std::string& path);
// GPT-2's pair of files, with GPT-2's split pattern. Entries of the vocabulary that are neither a
// byte nor the result of a merge are special tokens.
std::unique_ptr<Tokenizer> open_vocab_merges(const std::string& vocab, const std::string& merges);

}  // namespace straq::text
