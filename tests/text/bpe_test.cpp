#include "text/tokenizers/bpe.h"

#include <gtest/gtest.h>

#include "core/rng.h"
#include "tests/testing.h"

namespace straq::text {
namespace {

std::vector<std::string> all_bytes() {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  return tokens;
}

// Byte-pair merging as its definition has it, with no thought of speed.
std::vector<TokenId> by_definition(const std::vector<std::string>& tokens, std::string_view piece) {
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  const auto rank = [&](const std::string& s) {
    return std::find(tokens.begin(), tokens.end(), s) - tokens.begin();
  };
  const auto none = static_cast<std::ptrdiff_t>(tokens.size());
  for (;;) {
    std::ptrdiff_t best = none;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (const auto r = rank(parts[i] + parts[i + 1]); r < best) {
        best = r;
        at = i;
      }
    }
    if (best == none) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  std::vector<TokenId> ids;
  for (const auto& part : parts) ids.push_back(static_cast<TokenId>(rank(part)));
  return ids;
}

std::vector<TokenId> encoded(const BytePairEncoder& encoder, std::string_view piece,
                             PieceMap* memory = nullptr) {
  std::vector<TokenId> ids;
  encoder.append(piece, memory, ids);
  return ids;
}

TEST(BytePair, FollowsTheDefinitionForShortAndLongPieces) {
  auto tokens = all_bytes();
  for (const char* t : {"ab", "bc", "aa", "abc", "aaaa", "ca", "bca", "cab", "aab", "bb"}) {
    tokens.emplace_back(t);
  }
  const auto encoder = BytePairEncoder::from_ranks(tokens, "test");
  PieceMap memory;
  CounterRng rng(3, "bpe_test");
  for (int i = 0; i < 600; ++i) {
    // Beyond 96 bytes another algorithm takes over.
    std::string piece(1 + rng.below(i % 3 == 0 ? 200 : 20), 'a');
    for (char& c : piece) c = static_cast<char>('a' + rng.below(3));
    // A piece that is a token stays whole, whether merges lead there or not.
    const auto expected =
        std::find(tokens.begin(), tokens.end(), piece) != tokens.end()
            ? std::vector<TokenId>{static_cast<TokenId>(
                  std::find(tokens.begin(), tokens.end(), piece) - tokens.begin())}
            : by_definition(tokens, piece);
    ASSERT_EQ(encoded(encoder, piece), expected) << piece;
    ASSERT_EQ(encoded(encoder, piece, &memory), expected) << piece;
    ASSERT_EQ(encoded(encoder, piece, &memory), expected) << "from memory: " << piece;
  }
}

TEST(BytePair, WholePiecesAreAnOptionOfMergeLists) {
  auto tokens = all_bytes();
  tokens.emplace_back("ab");   // 256, made by a merge
  tokens.emplace_back("xyz");  // 257, made by none
  const std::vector<BytePairEncoder::MergeRule> merges = {{'a', 'b', 256}};
  const auto plain = BytePairEncoder::from_merges(tokens, merges, {});
  BytePairEncoder::Symbols symbols;
  symbols.whole_pieces = true;
  const auto whole = BytePairEncoder::from_merges(tokens, merges, symbols);
  EXPECT_EQ(encoded(plain, "xyz"), (std::vector<TokenId>{'x', 'y', 'z'}));
  EXPECT_EQ(encoded(whole, "xyz"), (std::vector<TokenId>{257}));
  EXPECT_EQ(encoded(plain, "abab"), (std::vector<TokenId>{256, 256}));
}

TEST(BytePair, AMissingByteIsAnError) {
  auto tokens = all_bytes();
  tokens[0xE9] = "other";
  const auto error =
      straq::testing::error_of([&] { BytePairEncoder::from_ranks(tokens, "ranks.txt"); });
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("ranks.txt: byte 0xE9"), std::string::npos);
}

TEST(PieceMap, GrowsAndForgets) {
  PieceMap map;
  for (TokenId i = 0; i < 5000; ++i) {
    const std::string key = "piece " + std::to_string(i);
    const TokenId ids[] = {i, -i, 7};
    map.insert(key, hash_bytes(key.data(), key.size()), ids, static_cast<std::size_t>(i % 4));
  }
  EXPECT_EQ(map.size(), 5000u);
  for (TokenId i = 0; i < 5000; ++i) {
    const std::string key = "piece " + std::to_string(i);
    std::vector<TokenId> expected = {i, -i, 7}, found;
    expected.resize(static_cast<std::size_t>(i % 4));
    ASSERT_TRUE(map.find(key, hash_bytes(key.data(), key.size()), found));
    ASSERT_EQ(found, expected);
  }
  map.clear();
  std::vector<TokenId> found;
  EXPECT_FALSE(map.find("piece 1", hash_bytes("piece 1", 7), found));
}

}  // namespace
}  // namespace straq::text
