#include "text/unicode.h"

#include <cstdio>
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

void require_utf8(std::string_view text) {
  const auto bad = find_invalid_utf8(text);
  if (!bad) return;
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[*bad]));
  fail_input("text is not valid UTF-8: byte " + std::to_string(*bad) + " is " + byte,
             "convert the file to UTF-8 first, for example with iconv");
}

}  // namespace straq::text
