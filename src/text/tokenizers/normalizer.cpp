#include "text/tokenizers/normalizer.h"

#include <algorithm>
#include <unordered_map>

#include "text/unicode.h"

namespace straq::text {
namespace {

struct Decomposition {
  char32_t code, first, second;  // second 0: one character becomes another
  int composes;                  // first and second become code again
};
struct CombiningRange {
  char32_t low, high;
  int combining_class;
};

#include "text/unicode_normal.inc"

// Hangul syllables are computed (Unicode standard, section 3.12).
constexpr char32_t s_base = 0xAC00, l_base = 0x1100, v_base = 0x1161, t_base = 0x11A7;
constexpr char32_t l_count = 19, v_count = 21, t_count = 28, s_count = l_count * v_count * t_count;

struct Tables {
  std::unordered_map<char32_t, const Decomposition*> parts;
  std::unordered_map<std::uint64_t, char32_t> pairs;

  static std::uint64_t key(char32_t a, char32_t b) {
    return static_cast<std::uint64_t>(a) << 32 | b;
  }
};

const Tables& tables() {
  static const Tables all = [] {
    Tables t;
    for (const auto& d : decompositions) {
      t.parts.emplace(d.code, &d);
      if (d.composes) t.pairs.emplace(Tables::key(d.first, d.second), d.code);
    }
    return t;
  }();
  return all;
}

int combining_class(char32_t c) {
  if (c < combining_ranges[0].low) return 0;
  const auto after =
      std::upper_bound(std::begin(combining_ranges), std::end(combining_ranges), c,
                       [](char32_t code, const CombiningRange& r) { return code < r.low; });
  const auto& range = *(after - 1);
  return c <= range.high ? range.combining_class : 0;
}

void decompose(char32_t c, std::u32string& out) {
  if (c >= s_base && c < s_base + s_count) {
    const char32_t s = c - s_base;
    out += l_base + s / (v_count * t_count);
    out += v_base + s % (v_count * t_count) / t_count;
    if (s % t_count) out += t_base + s % t_count;
    return;
  }
  const auto it = tables().parts.find(c);
  if (it == tables().parts.end()) {
    out += c;
    return;
  }
  decompose(it->second->first, out);
  if (it->second->second) decompose(it->second->second, out);
}

std::u32string decomposed(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const Character d = utf8_character(text.data() + i);
    decompose(d.code, out);
    i += d.bytes;
  }
  // Marks that follow each other in the order of their classes, equal ones as they came.
  for (std::size_t i = 0; i < out.size();) {
    std::size_t end = i;
    while (end < out.size() && combining_class(out[end]) != 0) ++end;
    std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(i),
                     out.begin() + static_cast<std::ptrdiff_t>(end), [](char32_t a, char32_t b) {
                       return combining_class(a) < combining_class(b);
                     });
    i = end + 1;
  }
  return out;
}

// The one character that two make together; 0: none.
char32_t composed(char32_t a, char32_t b) {
  if (a >= l_base && a < l_base + l_count && b >= v_base && b < v_base + v_count) {
    return s_base + ((a - l_base) * v_count + (b - v_base)) * t_count;
  }
  if (a >= s_base && a < s_base + s_count && (a - s_base) % t_count == 0 && b > t_base &&
      b < t_base + t_count) {
    return a + (b - t_base);
  }
  const auto it = tables().pairs.find(Tables::key(a, b));
  return it == tables().pairs.end() ? 0 : it->second;
}

std::string as_utf8(const std::u32string& codes) {
  std::string out;
  for (const char32_t c : codes) append_utf8(out, c);
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

std::string to_nfd(std::string_view text) {
  return is_ascii(text) ? std::string(text) : as_utf8(decomposed(text));
}

std::string to_nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  const std::u32string codes = decomposed(text);
  std::u32string out;
  // The last starter, and the class of what stands last behind it: a character composes with the
  // starter unless something of its class or higher stands between.
  std::size_t starter = std::u32string::npos;
  int last = 0;
  for (const char32_t c : codes) {
    const int here = combining_class(c);
    if (starter != std::u32string::npos && (last < here || starter + 1 == out.size())) {
      if (const char32_t both = composed(out[starter], c)) {
        out[starter] = both;
        continue;
      }
    }
    if (here == 0) starter = out.size();
    last = here;
    out += c;
  }
  return as_utf8(out);
}

void Normalizer::add_prepend(std::string text) {
  steps_.push_back({Kind::prepend, std::move(text), {}});
}
void Normalizer::add_replace(std::string text, std::string content) {
  steps_.push_back({Kind::replace, std::move(text), std::move(content)});
}
void Normalizer::add_nfc() {
  steps_.push_back({Kind::nfc, {}, {}});
}
void Normalizer::add_nfd() {
  steps_.push_back({Kind::nfd, {}, {}});
}

std::string Normalizer::apply(std::string_view text) const {
  std::string now(text);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::prepend:
        if (!now.empty()) now.insert(0, step.text);
        break;
      case Kind::replace: {
        std::string out;
        std::size_t done = 0;
        for (std::size_t at = now.find(step.text); at != std::string::npos;
             at = now.find(step.text, done)) {
          out.append(now, done, at - done).append(step.content);
          done = at + step.text.size();
        }
        now = out.append(now, done);
        break;
      }
      case Kind::nfc:
        now = to_nfc(now);
        break;
      case Kind::nfd:
        now = to_nfd(now);
        break;
    }
  }
  return now;
}

}  // namespace straq::text
