// The best cut of a text into a unigram model's pieces (Kudo 2018, "Subword regularization"): the
// one with the highest sum of scores, by dynamic programming from left to right. It exists for two
// reasons. Ids must not depend on which sentencepiece a distribution carries, and where two cuts
// have the same sum the versions differ: 0.1.97 adds in double precision, 0.2.3 (the reference of
// tests/peer) in single, as is done here. And the older library takes twice the time.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "text/tokenizers/bpe.h"
#include "text/tokenizers/sentencepiece_model.h"

namespace straq::text {

class UnigramEncoder {
 public:
  // Empty unless the model is one whose texts need no normalising and whose unknown characters are
  // spelled as bytes; the library has to encode for all others.
  static std::optional<UnigramEncoder> make(const SentencePieceModel& model);

  // Appends the ids of valid UTF-8 text.
  void append(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  // The trie of pieces: (node, byte) to the next node.
  PairMap edges_;
  std::array<TokenId, 256> first_{};  // the node after the root, by byte; -1: none
  std::vector<TokenId> piece_at_;     // by node; -1: no piece ends here
  std::vector<float> scores_;         // by piece
  std::array<TokenId, 256> byte_ids_{};
  float unknown_score_ = 0;
  bool dummy_prefix_ = true;
};

}  // namespace straq::text
