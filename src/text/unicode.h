// UTF-8 and the few Unicode properties that split patterns ask for: letter (\p{L}), number (\p{N}),
// white space (\s). The tables are our own, of the Unicode version of the reference tokenizers
// (16.0), so that ids do not depend on which library versions a cluster happens to have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace straq::text {

enum class CharClass : std::uint8_t {
  other,    // neither of the below: [^\s\p{L}\p{N}]
  letter,   // \p{L}
  number,   // \p{N}
  space,    // \s but for the two below
  newline,  // \r and \n, which are \s too
};

inline bool is_space(CharClass c) {
  return c == CharClass::space || c == CharClass::newline;
}

// The class of every code point, 0x110000 entries; built at the first call.
const CharClass* char_classes();

// Where the first byte is that can't be part of valid UTF-8 (overlong forms, surrogates and code
// points above U+10FFFF are invalid); empty when all is valid.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

// Throws Error(input) naming the byte and its offset unless `text` is valid UTF-8.
void require_utf8(std::string_view text);

// One character of valid UTF-8 text: its code point and its length in bytes. Reads no further than
// the character; does not check.
struct Decoded {
  char32_t code = 0;
  std::uint32_t bytes = 1;
};
inline Decoded decode_utf8(const char* p) {
  const auto b = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  if (b(0) < 0x80) return {b(0), 1};
  if (b(0) < 0xE0) return {(b(0) & 0x1F) << 6 | (b(1) & 0x3F), 2};
  if (b(0) < 0xF0) return {(b(0) & 0x0F) << 12 | (b(1) & 0x3F) << 6 | (b(2) & 0x3F), 3};
  return {(b(0) & 0x07) << 18 | (b(1) & 0x3F) << 12 | (b(2) & 0x3F) << 6 | (b(3) & 0x3F), 4};
}
void append_utf8(std::string& out, char32_t code);

}  // namespace straq::text
