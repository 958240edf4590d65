// What a sentencepiece model file says about itself: pieces, their scores and kinds, and the
// normalisation. The library's public headers give no access to most of this, and it is what
// decides whether a text may be encoded word by word (see sentencepiece.cpp). The file is a
// Protocol Buffers message; only the few fields needed are read, by their numbers in
// sentencepiece_model.proto.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace straq::text {

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string text;  // U+2581 stands for a blank
    float score = 0;
    Type type = Type::normal;
  };
  std::vector<Piece> pieces;
  Kind kind = Kind::unigram;
  bool whitespace_as_suffix = false;
  bool identity = true;  // no normalisation table
  bool dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Empty when `bytes` is no such message.
std::optional<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes);

// The message of a BPE model for the library: pieces with their scores and kinds, and the ids of
// the unknown token and, where there are any (-1: none), of the beginning and the end of a text.
struct SpecialPieces {
  int unknown = -1, bos = -1, eos = -1;
};
std::string write_sentencepiece_model(const SentencePieceModel& model, const SpecialPieces& ids);

// True when no token can hold the end of one word and the blank before the next, so that
// tokenising the words apart gives the tokens of the whole: blanks are kept as they are, U+2581 is
// a piece of its own and follows no other character in any piece, and the user defined none.
bool words_are_independent(const SentencePieceModel& model);

}  // namespace straq::text
