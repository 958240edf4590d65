// Small tokenizers with known behaviour, for tests of what is built on tokenizers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "text/tokenizer.h"

namespace straq::testing {

// One token a byte, after the longest of `merges` that fits; `prefix` is put before every piece
// of text that is encoded by itself, as sentencepiece's dummy prefix is.
class ByteTokenizer : public text::Tokenizer {
 public:
  explicit ByteTokenizer(std::vector<std::string> merges = {}, bool prefix = false,
                         bool has_bos = true, bool adds_bos = true)
      : merges_(std::move(merges)), prefix_(prefix), has_bos_(has_bos), adds_bos_(adds_bos) {}

  std::vector<text::TokenId> encode(std::string_view s) const override {
    std::vector<text::TokenId> ids;
    if (prefix_ && !s.empty()) ids.push_back(257);
    while (!s.empty()) {
      std::size_t best = 0, length = 1;
      for (std::size_t m = 0; m < merges_.size(); ++m) {
        if (s.starts_with(merges_[m]) && merges_[m].size() > length) {
          best = m + 1;
          length = merges_[m].size();
        }
      }
      ids.push_back(best ? static_cast<text::TokenId>(257 + best)
                         : static_cast<unsigned char>(s.front()));
      s.remove_prefix(length);
    }
    return ids;
  }
  std::string decode(const std::vector<text::TokenId>& ids) const override {
    std::string out;
    for (auto id : ids) {
      if (id < 256)
        out += static_cast<char>(id);
      else if (id == 256)
        out += "<bos>";
      else if (id > 257)
        out += merges_.at(static_cast<std::size_t>(id - 258));
    }
    return out;
  }
  int vocab_size() const override { return 258 + static_cast<int>(merges_.size()); }
  std::optional<text::TokenId> special(std::string_view) const override { return std::nullopt; }
  std::optional<text::TokenId> bos() const override {
    return has_bos_ ? std::optional<text::TokenId>(256) : std::nullopt;
  }
  std::optional<text::TokenId> eos() const override { return std::nullopt; }
  bool adds_bos() const override { return has_bos_ && adds_bos_; }
  std::string fingerprint() const override {
    return "test:" + std::to_string(merges_.size()) + (prefix_ ? "p" : "");
  }

 private:
  std::vector<std::string> merges_;
  bool prefix_, has_bos_, adds_bos_;
};

}  // namespace straq::testing
