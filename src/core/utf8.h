// UTF-8: where a text is broken, code points and back. Corpora and what tokenizers are given are
// checked once when they are read, so that a wrong encoding is an error with a place rather than a
// surprise further on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace straq {

// Byte offset of the first ill-formed sequence (overlong forms, surrogates and values above
// U+10FFFF included); none when the text is valid.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

// Reads the sequence at `at`; returns its length in bytes, or 0 when it is ill-formed.
std::size_t utf8_sequence(std::string_view text, std::size_t at, char32_t& code);

// Code points; every byte that belongs to no valid sequence becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);
// The text with U+FFFD for every byte that belongs to no valid sequence: what decoding and encoding
// make of it.
std::string valid_utf8(std::string text);
// The code point (not checked: no surrogate, at most U+10FFFF) behind `out`.
void append_utf8(std::string& out, char32_t code);

// One character of valid UTF-8 text: its code point and its length in bytes.
struct Character {
  char32_t code = 0;
  std::uint32_t bytes = 1;
};
// Reads no further than the character; does not check.
inline Character utf8_character(const char* p) {
  const auto b = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  if (b(0) < 0x80) return {b(0), 1};
  if (b(0) < 0xE0) return {(b(0) & 0x1F) << 6 | (b(1) & 0x3F), 2};
  if (b(0) < 0xF0) return {(b(0) & 0x0F) << 12 | (b(1) & 0x3F) << 6 | (b(2) & 0x3F), 3};
  return {(b(0) & 0x07) << 18 | (b(1) & 0x3F) << 12 | (b(2) & 0x3F) << 6 | (b(3) & 0x3F), 4};
}

}  // namespace straq
