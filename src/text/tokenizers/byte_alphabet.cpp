#include "text/tokenizers/byte_alphabet.h"

#include <array>

#include "text/unicode.h"

namespace straq::text {
namespace {

struct Alphabet {
  std::array<char32_t, 256> of_byte{};
  std::array<int, 324> byte_of;  // by code point; -1: none
};

const Alphabet& alphabet() {
  static const Alphabet table = [] {
    Alphabet a;
    a.byte_of.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool prints = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t code = prints ? static_cast<char32_t>(b) : next++;
      a.of_byte[static_cast<std::size_t>(b)] = code;
      a.byte_of[code] = b;
    }
    return a;
  }();
  return table;
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, alphabet().of_byte[static_cast<unsigned char>(c)]);
  return out;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Character d = utf8_character(text.data() + i);
    if (d.code >= alphabet().byte_of.size() || alphabet().byte_of[d.code] < 0) return std::nullopt;
    out += static_cast<char>(alphabet().byte_of[d.code]);
    i += d.bytes;
  }
  return out;
}

}  // namespace straq::text
