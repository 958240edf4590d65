#include "text/unicode.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.h"

namespace straq::text {
namespace {

struct CodePointRange {
  char32_t low, high;
};

#include "text/unicode_ranges.inc"

// Unicode's White_Space property, stable since version 6.3.
constexpr CodePointRange space_ranges[] = {
    {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

std::vector<CharClass> build_classes() {
  std::vector<CharClass> classes(0x110000, CharClass::other);
  const auto fill = [&](const auto& ranges, CharClass value) {
    for (const auto& r : ranges) {
      for (char32_t c = r.low; c <= r.high; ++c) classes[c] = value;
    }
  };
  fill(letter_ranges, CharClass::letter);
  fill(number_ranges, CharClass::number);
  fill(space_ranges, CharClass::space);
  classes['\r'] = classes['\n'] = CharClass::newline;
  return classes;
}

}  // namespace

const CharClass* char_classes() {
  static const std::vector<CharClass> classes = build_classes();
  return classes.data();
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const auto* s = reinterpret_cast<const unsigned char*>(text.data());
  const std::size_t n = text.size();
  std::size_t i = 0;
  while (i < n) {
    // Eight ASCII bytes at a time: nearly all of the text.
    while (i + 8 <= n) {
      std::uint64_t word;
      std::memcpy(&word, s + i, 8);
      if (word & 0x8080808080808080ull) break;
      i += 8;
    }
    if (i == n) break;
    const unsigned char b = s[i];
    if (b < 0x80) {
      ++i;
      continue;
    }
    // The second byte's range rules out overlong forms, surrogates and what is above U+10FFFF
    // (Unicode standard, table 3-7).
    std::size_t length;
    unsigned char low = 0x80, high = 0xBF;
    if (b >= 0xC2 && b <= 0xDF) {
      length = 2;
    } else if (b >= 0xE0 && b <= 0xEF) {
      length = 3;
      if (b == 0xE0) low = 0xA0;
      if (b == 0xED) high = 0x9F;
    } else if (b >= 0xF0 && b <= 0xF4) {
      length = 4;
      if (b == 0xF0) low = 0x90;
      if (b == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    if (i + length > n || s[i + 1] < low || s[i + 1] > high) return i;
    for (std::size_t k = 2; k < length; ++k) {
      if ((s[i + k] & 0xC0) != 0x80) return i;
    }
    i += length;
  }
  return std::nullopt;
}

void require_utf8(std::string_view text) {
  const auto bad = find_invalid_utf8(text);
  if (!bad) return;
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[*bad]));
  fail_input("text is not valid UTF-8: byte " + std::to_string(*bad) + " is " + byte,
             "convert the file to UTF-8 first, for example with iconv");
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace straq::text
