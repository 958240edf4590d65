// Tokens that were added to a vocabulary beside its model: found in text as they stand, before
// anything else happens to it, as Hugging Face tokenizers find them (AddedVocabulary). They come
// from a tokenizer.json's "added_tokens" or from files beside a tokenizer (beside.h).
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace straq::text {

struct AddedToken {
  std::string text;
  TokenId id = -1;
  bool special = false;
  bool normalized = false;  // looked for in normalized text, and its own text is normalized too
  bool lstrip = false;      // takes the white space before it
  bool rstrip = false;      // and after it
  bool single_word = false;

  bool operator==(const AddedToken&) const = default;
};

// Finds tokens in text, at each place the longest one.
class TokenFinder {
 public:
  void add(std::string text, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // The text from left to right: stretches that hold no token, with id -1 and never empty, and the
  // tokens. White space that a token takes belongs to no stretch.
  void find(std::string_view text,
            const std::function<void(std::string_view stretch, TokenId id)>& each) const;

 private:
  struct Entry {
    std::string text;
    TokenId id;
    bool lstrip, rstrip;
  };
  std::vector<Entry> tokens_;  // by first byte, the longest first
  std::array<bool, 256> starts_{};
};

}  // namespace straq::text
