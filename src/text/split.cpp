#include "text/split.h"

#include <algorithm>

namespace straq::text {

const std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

// Reads characters with their classes; `end` is the end of the text.
struct Reader {
  const CharClass* classes;
  const char* end;

  CharClass peek(const char* p, std::uint32_t& bytes) const {
    const auto b = static_cast<unsigned char>(*p);
    if (b < 0x80) {
      bytes = 1;
      return classes[b];
    }
    const Character d = utf8_character(p);
    bytes = d.bytes;
    return classes[d.code];
  }
  // The end of the run of `c` that starts at p (which may be no such character).
  const char* run(const char* p, CharClass c) const {
    std::uint32_t bytes;
    while (p < end && peek(p, bytes) == c) p += bytes;
    return p;
  }
  // White space from p to `stop`, not empty, matched by "\s+(?!\S)|\s+": all of it at the end of
  // the text, else all but its last character, which is left to lead the next word.
  const char* blanks(const char* p, const char* stop, const char* last) const {
    return stop == end || last == p ? stop : last;
  }
};

// Bytes of the English contraction that starts at the apostrophe p, or 0. Without regard to case
// the long s (U+017F, bytes C5 BF) is an s too.
std::size_t contraction(const char* p, const char* end, bool ignore_case) {
  const auto at = [&](int i) -> unsigned char {
    if (p + i >= end) return 0;
    auto c = static_cast<unsigned char>(p[i]);
    if (ignore_case && c >= 'A' && c <= 'Z') c = static_cast<unsigned char>(c + 32);
    return c;
  };
  switch (at(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return at(2) == 'e' ? 3 : 0;
    case 'l':
      return at(2) == 'l' ? 3 : 0;
    case 0xC5:
      return ignore_case && at(2) == 0xBF ? 3 : 0;
    default:
      return 0;
  }
}

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace

void split_gpt2(std::string_view text, std::vector<std::string_view>& pieces) {
  const Reader in{char_classes(), text.data() + text.size()};
  const char* p = text.data();
  std::uint32_t bytes;
  while (p < in.end) {
    const char* q = p;
    if (*p == '\'') {
      if (const std::size_t n = contraction(p, in.end, false)) {
        pieces.push_back(between(p, p + n));
        p += n;
        continue;
      }
    }
    CharClass c = in.peek(p, bytes);
    if (*p == ' ' && p + 1 < in.end) {
      const CharClass next = in.peek(p + 1, bytes);
      if (!is_space(next)) {
        c = next;
        q = p + 1;
      }
    }
    if (!is_space(c)) {
      q = in.run(q, c);
    } else {
      const char* last = p;
      while (q < in.end && is_space(in.peek(q, bytes))) {
        last = q;
        q += bytes;
      }
      q = in.blanks(p, q, last);
    }
    pieces.push_back(between(p, q));
    p = q;
  }
}

void split_llama3(std::string_view text, std::vector<std::string_view>& pieces) {
  const Reader in{char_classes(), text.data() + text.size()};
  const char* p = text.data();
  std::uint32_t bytes, next_bytes;
  while (p < in.end) {
    if (*p == '\'') {
      if (const std::size_t n = contraction(p, in.end, true)) {
        pieces.push_back(between(p, p + n));
        p += n;
        continue;
      }
    }
    const CharClass c = in.peek(p, bytes);
    const char* after = p + bytes;
    const CharClass next = after < in.end ? in.peek(after, next_bytes) : CharClass::newline;
    const char* q = after;
    if (c == CharClass::letter) {
      q = in.run(after, CharClass::letter);
    } else if (next == CharClass::letter && (c == CharClass::other || c == CharClass::space)) {
      // One character that is no letter, number or line end may lead a word.
      q = in.run(after + next_bytes, CharClass::letter);
    } else if (c == CharClass::number) {
      for (int i = 1; i < 3 && q < in.end && in.peek(q, bytes) == CharClass::number; ++i)
        q += bytes;
    } else if (c == CharClass::other || (*p == ' ' && next == CharClass::other)) {
      q = in.run(after, CharClass::other);
      q = in.run(q, CharClass::newline);
    } else {
      const char* last = p;
      const char* after_newline = nullptr;
      q = p;
      while (q < in.end) {
        const CharClass space = in.peek(q, bytes);
        if (!is_space(space)) break;
        last = q;
        q += bytes;
        if (space == CharClass::newline) after_newline = q;
      }
      // "\s*[\r\n]+" comes first in the pattern and ends after the run's last line end.
      q = after_newline ? after_newline : in.blanks(p, q, last);
    }
    pieces.push_back(between(p, q));
    p = q;
  }
}

void split_digits(std::string_view text, bool individual, std::vector<std::string_view>& pieces) {
  const Reader in{char_classes(), text.data() + text.size()};
  const char* p = text.data();
  std::uint32_t bytes;
  while (p < in.end) {
    const bool number = in.peek(p, bytes) == CharClass::number;
    const char* q = p + bytes;
    if (!(number && individual)) {
      while (q < in.end && (in.peek(q, bytes) == CharClass::number) == number) q += bytes;
    }
    pieces.push_back(between(p, q));
    p = q;
  }
}

void PreTokenizer::add_pattern(const std::string& pattern, SplitBehavior behavior, bool invert) {
  // Both known patterns match every character: all is matches, or with `invert` all is gaps.
  const bool whole = behavior == SplitBehavior::isolated ||
                     (behavior == SplitBehavior::removed && invert) ||
                     (behavior == SplitBehavior::kept && !invert);
  if (whole && pattern == gpt2_pattern) {
    stages_.push_back({.kind = Kind::gpt2, .behavior = behavior});
  } else if (whole && pattern == llama3_pattern) {
    stages_.push_back({.kind = Kind::llama3, .behavior = behavior});
  } else {
    stages_.push_back({.kind = Kind::regex,
                       .flag = invert,
                       .behavior = behavior,
                       .regex = std::make_shared<RegexSplitter>(pattern)});
  }
}

void PreTokenizer::add_literal(const std::string& text, SplitBehavior behavior, bool invert) {
  auto splitter = std::make_shared<RegexSplitter>(RegexSplitter::literal(text));
  stages_.push_back(
      {.kind = Kind::regex, .flag = invert, .behavior = behavior, .regex = std::move(splitter)});
}

void PreTokenizer::add_digits(bool individual) {
  stages_.push_back({.kind = Kind::digits, .flag = individual});
}

void PreTokenizer::add_metaspace(Metaspace metaspace) {
  stages_.push_back(
      {Kind::metaspace, false, SplitBehavior::isolated, nullptr, std::move(metaspace)});
}

namespace {

void split_metaspace(const Metaspace& how, std::string_view text, bool at_start,
                     std::deque<std::string>& store, std::vector<std::string_view>& out) {
  const std::string& sign = how.replacement;
  std::string& made = store.emplace_back();
  const bool wanted = how.prepend == Metaspace::Prepend::always ||
                      (how.prepend == Metaspace::Prepend::first && at_start);
  if (wanted && !text.starts_with(' ') && !text.starts_with(sign)) made += sign;
  for (const char c : text) c == ' ' ? void(made += sign) : made.push_back(c);
  const std::string_view whole = made;
  if (!how.split) {
    out.push_back(whole);
    return;
  }
  for (std::size_t begin = 0; begin < whole.size();) {
    const std::size_t end = std::min(whole.find(sign, begin + 1), whole.size());
    out.push_back(whole.substr(begin, end - begin));
    begin = end;
  }
}

}  // namespace

void PreTokenizer::run(const Stage& stage, std::string_view text, bool at_start,
                       std::deque<std::string>& store, std::vector<std::string_view>& out) {
  switch (stage.kind) {
    case Kind::gpt2:
      return split_gpt2(text, out);
    case Kind::llama3:
      return split_llama3(text, out);
    case Kind::regex:
      return stage.regex->split(text, stage.behavior, stage.flag, out);
    case Kind::digits:
      return split_digits(text, stage.flag, out);
    case Kind::metaspace:
      return split_metaspace(stage.metaspace, text, at_start, store, out);
  }
}

void PreTokenizer::split(std::string_view text, bool at_start, std::deque<std::string>& store,
                         std::vector<std::string_view>& pieces) const {
  pieces.clear();
  if (text.empty()) return;
  if (stages_.empty()) {
    pieces.push_back(text);
    return;
  }
  run(stages_[0], text, at_start, store, pieces);
  for (std::size_t i = 1; i < stages_.size(); ++i) {
    std::vector<std::string_view> finer;
    for (const auto piece : pieces) {
      run(stages_[i], piece, at_start && piece.data() == text.data(), store, finer);
    }
    pieces.swap(finer);
  }
}

}  // namespace straq::text
