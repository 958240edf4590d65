#include "dialogue/utf8.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace straq::dialogue {
namespace {

// Letters first, first + step … last, whose lower case lies `shift` further.
struct LowerRange {
  char32_t first, last;
  char32_t step;
  std::int32_t shift;
};

struct Range {
  char32_t first, last;
};

// What a letter becomes for comparison, where that is not its lower case.
struct Fold {
  char32_t from;
  const char32_t* to;
};

#include "dialogue/case_tables.inc"

// The range of an ascending table that holds `c`, by its ends.
template <class R, std::size_t n>
const R* find_range(const R (&ranges)[n], char32_t c) {
  const R* it = std::lower_bound(std::begin(ranges), std::end(ranges), c,
                                 [](const R& r, char32_t x) { return r.last < x; });
  return it != std::end(ranges) && it->first <= c ? it : nullptr;
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

// Printed ASCII in which no blank stands at an end or beside another: nothing is to be done.
bool is_normal_ascii(std::string_view s) {
  bool blank = true;
  for (const char b : s) {
    const auto byte = static_cast<unsigned char>(b);
    if (byte < ' ' || byte >= 0x80 || (byte == ' ' && blank)) return false;
    blank = byte == ' ';
  }
  return !blank;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(to_lower(static_cast<char32_t>(c)));
  return out;
}

// Unicode's Final_Sigma: a cased letter before it and none after it, marks and signs that no word
// ends at (apostrophes, points within, accents) passed over.
bool ends_word(const std::u32string& s, std::size_t at) {
  const auto cased = [&](std::size_t i) { return find_range(kCasedRanges, s[i]) != nullptr; };
  const auto passed = [&](std::size_t i) { return find_range(kIgnorableRanges, s[i]) != nullptr; };
  std::size_t before = at;
  while (before > 0 && passed(before - 1)) --before;
  if (before == 0 || !cased(before - 1)) return false;
  std::size_t after = at + 1;
  while (after < s.size() && passed(after)) ++after;
  return after == s.size() || !cased(after);
}

}  // namespace

bool is_space(char32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) || c == 0x85 ||
         c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string normalise_space(std::string_view text) {
  if (is_normal_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  bool gap = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = ascii_end(text, i, ' ') - i;
    if (n == 0) {
      char32_t c = 0;
      n = utf8_sequence(text, i, c);
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
  const auto* range = find_range(kLowerRanges, c);
  if (range == nullptr || (c - range->first) % range->step != 0) return c;
  return static_cast<char32_t>(static_cast<std::int32_t>(c) + range->shift);
}

std::string to_lower(std::string_view text) {
  if (ascii_end(text, 0, 0) == text.size()) return ascii_lower(text);
  const std::u32string points = decode_utf8(text);
  std::u32string out;
  out.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t c = points[i];
    if (c == 0x130) {  // I with a dot: the one letter whose lower case is two characters
      out += U"i\u0307";
    } else if (c == 0x3A3) {
      out += ends_word(points, i) ? 0x3C2 : 0x3C3;
    } else {
      out += to_lower(c);
    }
  }
  return encode_utf8(out);
}

std::string fold_case(std::string_view text) {
  if (ascii_end(text, 0, 0) == text.size()) return ascii_lower(text);
  std::u32string out;
  for (const char32_t c : decode_utf8(text)) {
    const auto* fold = std::lower_bound(std::begin(kFolds), std::end(kFolds), c,
                                        [](const Fold& f, char32_t x) { return f.from < x; });
    if (fold != std::end(kFolds) && fold->from == c) {
      out += fold->to;
    } else {
      out += to_lower(c);
    }
  }
  return encode_utf8(out);
}

}  // namespace straq::dialogue
