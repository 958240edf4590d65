// Byte-pair merging of one piece of text, made to be fast: tables with open addressing, a linear
// scan for the short pieces that nearly all are, a heap for long ones, and a memory of pieces seen.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"

namespace straq::text {

std::uint64_t hash_bytes(const char* data, std::size_t size);

// The byte that a token "<0x0A>" stands for; -1 for any other spelling.
int byte_of_token(std::string_view token);

// Byte strings to lists of ids. Entries of 16 bytes, four to a cache line.
class PieceMap {
 public:
  explicit PieceMap(std::size_t expected = 0);
  // Nothing happens when the piece is too long to be stored (65,535 bytes or ids).
  void insert(std::string_view piece, std::uint64_t hash, const TokenId* ids, std::size_t count);
  // Appends the ids and returns true when the piece is known.
  bool find(std::string_view piece, std::uint64_t hash, std::vector<TokenId>& ids) const;
  std::size_t size() const { return size_; }
  void clear();

 private:
  struct Slot {
    std::uint32_t tag = 0;    // high half of the hash
    std::uint32_t key = 0;    // offset in keys_
    std::uint32_t value = 0;  // the id when there is one, else an offset in ids_
    std::uint16_t bytes = 0;  // 0 marks a free slot
    std::uint16_t count = 0;
  };
  std::size_t place(std::string_view piece, std::uint64_t hash) const;
  void grow();

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  std::string keys_;
  std::vector<TokenId> ids_;
};

// What two neighbouring tokens become, and in which order merges happen (lowest rank first).
class PairMap {
 public:
  static constexpr std::uint32_t no_rank = UINT32_MAX;
  struct Merge {
    std::uint32_t rank = no_rank;
    TokenId id = -1;
  };
  explicit PairMap(std::size_t expected = 0);
  // Of two merges of one pair the later counts, as in Hugging Face's reader.
  void insert(TokenId left, TokenId right, Merge merge);
  Merge find(TokenId left, TokenId right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t i = slot_of(key);; i = (i + 1) & mask_) {
      if (keys_[i] == key) return merges_[i];
      if (keys_[i] == free_key) return {};
    }
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint64_t free_key = UINT64_MAX;
  static std::uint64_t key_of(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ull) >> shift_);
  }
  void grow();

  std::vector<std::uint64_t> keys_;
  std::vector<Merge> merges_;
  std::size_t mask_ = 0;
  int shift_ = 0;
  std::size_t size_ = 0;
};

class BytePairEncoder {
 public:
  // By ranks, as tiktoken does it: the id is the rank, any two neighbours whose bytes together are
  // a token merge, and a piece that is a token stays whole. Throws Error(input) when a byte has no
  // token; `where` names the file.
  static BytePairEncoder from_ranks(const std::vector<std::string>& tokens,
                                    const std::string& where);

  struct MergeRule {
    TokenId left, right, result;
  };
  // How a piece becomes symbols before anything merges, and what happens to a symbol that has no
  // token: it is spelled as bytes, or stands as the unknown token, or else is left out, and its
  // neighbours merge as if it had not been there.
  struct Symbols {
    bool characters = false;     // a symbol is a character; else a byte
    bool byte_fallback = false;  // characters: tokens "<0x00>" to "<0xFF>" spell what has no token
    std::optional<TokenId> unknown;
    bool fuse_unknown = false;  // neighbours that are unknown are one token
    bool whole_pieces = false;  // a piece that is a token stays whole (ignore_merges)
  };
  // By a list of merges in order, as Hugging Face does it. `tokens[id]` are bytes, or text where
  // symbols are characters; empty ones are not part of the merging.
  static BytePairEncoder from_merges(const std::vector<std::string>& tokens,
                                     const std::vector<MergeRule>& merges, const Symbols& symbols);

  // Appends the ids of a piece (valid UTF-8 where symbols are characters). `memory` holds results
  // of earlier pieces of this encoder and may be null.
  void append(std::string_view piece, PieceMap* memory, std::vector<TokenId>& ids) const;
  // True when merging alone makes `id` of these bytes: then ordinary text holds that token.
  bool makes(std::string_view bytes, TokenId id) const;
  // True when every byte, or every byte of a character without a token, has a token.
  bool complete() const;

 private:
  void find_symbols(const std::vector<std::string>& tokens);
  void keep_whole(const std::vector<std::string>& tokens);
  void begin(std::string_view piece, std::vector<TokenId>& symbols) const;
  void merge(std::string_view piece, std::vector<TokenId>& ids) const;
  void merge_short(const std::vector<TokenId>& symbols, std::vector<TokenId>& ids) const;
  void merge_long(const std::vector<TokenId>& symbols, std::vector<TokenId>& ids) const;

  Symbols symbols_;
  std::array<TokenId, 256> byte_ids_{};  // of bytes, or of "<0x00>" to "<0xFF>"; -1: none
  std::unordered_map<char32_t, TokenId> character_ids_;
  PieceMap whole_;
  PairMap pairs_;
};

}  // namespace straq::text
