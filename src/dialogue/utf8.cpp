#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace {

// Reads the sequence at `i`; returns its length, or 0 when it is ill-formed.
std::size_t sequence_at(std::string_view s, std::size_t i, char32_t& out) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
  const unsigned char b = byte(i);
  if (b < 0x80) {
    out = b;
    return 1;
  }
  std::size_t length = 0;
  char32_t c = 0, least = 0;
  if ((b & 0xE0) == 0xC0) {
    length = 2, c = b & 0x1F, least = 0x80;
  } else if ((b & 0xF0) == 0xE0) {
    length = 3, c = b & 0x0F, least = 0x800;
  } else if ((b & 0xF8) == 0xF0) {
    length = 4, c = b & 0x07, least = 0x10000;
  } else {
    return 0;
  }
  if (i + length > s.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80) return 0;
    c = (c << 6) | (byte(i + k) & 0x3F);
  }
  if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
  out = c;
  return length;
}

void append(std::string& out, char32_t c) {
  const auto put = [&](char32_t b) { out += static_cast<char>(b); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

// The end of the run of ASCII bytes above `least` that begins at `i`. Nearly all text is such runs,
// and nothing need be decoded in them.
std::size_t ascii_end(std::string_view s, std::size_t i, unsigned char least) {
  const auto plain = [&](char b) {
    const auto byte = static_cast<unsigned char>(b);
    return byte > least && byte < 0x80;
  };
  while (i < s.size() && plain(s[i])) ++i;
  return i;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  char32_t c = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (const auto end = ascii_end(text, i, 0); end > i) {
      i = end;
      continue;
    }
    const std::size_t n = sequence_at(text, i, c);
    if (n == 0) return i;
    i += n;
  }
  return std::nullopt;
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    char32_t c = 0xFFFD;
    const std::size_t n = sequence_at(text, i, c);
    out += n == 0 ? U'\uFFFD' : c;
    i += n == 0 ? 1 : n;
  }
  return out;
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char32_t c : text) append(out, c);
  return out;
}

bool is_space(char32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) || c == 0x85 ||
         c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string normalise_space(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool gap = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = ascii_end(text, i, ' ') - i;
    if (n == 0) {
      char32_t c = 0;
      n = sequence_at(text, i, c);
      if (n != 0 && is_space(c)) {
        gap = true;
        i += n;
        continue;
      }
      if (n == 0) n = 1;  // an ill-formed byte is kept: reporting it is the reader's business
    }
    if (gap && !out.empty()) out += ' ';
    gap = false;
    out.append(text.substr(i, n));
    i += n;
  }
  return out;
}

char32_t to_lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c >= 0x100 && c <= 0x137) return c == 0x130 ? U'i' : c | 1;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c % 2 == 1 ? c + 1 : c;
  if (c >= 0x14A && c <= 0x177) return c | 1;
  if (c == 0x178) return 0xFF;
  if (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

std::string to_lower(std::string_view text) {
  if (ascii_end(text, 0, 0) == text.size()) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(to_lower(static_cast<char32_t>(c)));
    return out;
  }
  std::u32string points = decode_utf8(text);
  for (char32_t& c : points) c = to_lower(c);
  return encode_utf8(points);
}

}  // namespace straq::dialogue
