#include "dialogue/word_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

bool any_of(char32_t c, View set) {
  return set.find(c) != View::npos;
}

bool is_digit(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0x966 && c <= 0x96F) ||
         (c >= 0xFF10 && c <= 0xFF19);
}

// A letter, digit or underscore. Beyond Latin-1, blocks of punctuation, symbols, combining marks
// and emoji are not words; the rest is.
bool is_word(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  if (c < 0x100) {
    return c >= 0xC0 ? c != 0xD7 && c != 0xF7 : any_of(c, U"ªµº²³¹¼½¾");
  }
  struct Block {
    char32_t first, last;
  };
  static constexpr std::array<Block, 13> kNotWords = {{
      {0x02C2, 0x02C5},  // modifier arrows
      {0x0300, 0x036F},  // combining marks
      {0x2000, 0x206F},  // general punctuation
      {0x20A0, 0x20FF},  // currency, combining marks for symbols
      {0x2190, 0x245F},  // arrows, mathematics, technical
      {0x2500, 0x2775},  // boxes, shapes, dingbats
      {0x2794, 0x2BFF},  // dingbats, arrows
      {0x3000, 0x3004},  // ideographic punctuation
      {0x3008, 0x3020},
      {0xE000, 0xF8FF},    // private use
      {0xFE00, 0xFE6F},    // variation selectors, small forms
      {0xFFF0, 0xFFFF},    // specials
      {0x1F000, 0x1FAFF},  // emoji and pictographs
  }};
  return std::none_of(kNotWords.begin(), kNotWords.end(),
                      [&](const Block& b) { return c >= b.first && c <= b.last; });
}

// Whether `word` (lower-case ASCII) stands in `s` at `i`, whatever its case there.
bool matches(const Text& s, std::size_t i, std::string_view word) {
  if (i + word.size() > s.size()) return false;
  for (std::size_t k = 0; k < word.size(); ++k) {
    char32_t c = s[i + k];
    if (c >= 'A' && c <= 'Z') c += 32;
    if (c != static_cast<unsigned char>(word[k])) return false;
  }
  return true;
}

// Whether a word begins or ends between s[i - 1] and s[i].
bool edge(const Text& s, std::size_t i) {
  const bool before = i > 0 && is_word(s[i - 1]);
  const bool after = i < s.size() && is_word(s[i]);
  return before != after;
}

// Blanks around every character of `set`.
Text pad(Text s, View set) {
  if (s.find_first_of(set) == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (char32_t c : s) {
    if (any_of(c, set)) {
      out += U' ', out += c, out += U' ';
    } else {
      out += c;
    }
  }
  return out;
}

// Blanks around every run of at least `least` characters `c`.
Text pad_runs(Text s, char32_t c, std::size_t least) {
  if (s.find(c) == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    std::size_t end = i;
    while (end < s.size() && s[end] == c) ++end;
    if (end - i >= least && end > i) {
      out += U' ', out.append(s, i, end - i), out += U' ';
      i = end;
    } else {
      out += s[i++];
    }
  }
  return out;
}

// Replaces `from`, left to right and without overlap.
Text replace(Text s, View from, View to) {
  if (s.find(from) == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    if (View(s).substr(i, from.size()) == from) {
      out += to;
      i += from.size();
    } else {
      out += s[i++];
    }
  }
  return out;
}

// A double quote (or two single ones) after a blank or an opening bracket opens a quotation.
Text opening_quotes(Text s) {
  if (s.find_first_of(U"\"'") == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    out += s[i];
    if (!any_of(s[i++], U" ([{<")) continue;
    const std::size_t n = View(s).substr(i, 1) == U"\"" ? 1 : View(s).substr(i, 2) == U"''" ? 2 : 0;
    if (n == 0) continue;
    out += U" `` ";
    i += n;
  }
  return out;
}

// An apostrophe before a word of one letter is a quotation mark and stands alone, unless the letter
// makes a clitic ('m, 't, 's, 'd) or the n of 'n'.
Text single_letter_quotes(Text s) {
  if (s.find(U'\'') == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size(); ++i) {
    out += s[i];
    if (s[i] != U'\'' || i + 1 >= s.size() || !is_word(s[i + 1])) continue;
    if (any_of(s[i + 1], U"mtsdnMTSDN") || !edge(s, i + 2)) continue;
    out += U' ', out += s[i + 1];
    ++i;
  }
  return out;
}

// Sets the sentence's last full stop apart, with what closes after it. It must follow something
// other than a full stop, and only characters of `closing`, then white space, may follow it.
Text final_period(Text s, View closing, bool blank_after_period) {
  const std::size_t dot = s.rfind(U'.');
  if (dot == Text::npos || dot == 0 || s[dot - 1] == U'.') return s;
  std::size_t end = dot + 1;
  while (end < s.size() && any_of(s[end], closing)) ++end;
  const std::size_t closed = end;
  while (end < s.size() && is_space(s[end])) ++end;
  if (end != s.size()) return s;
  Text out = s.substr(0, dot) + U" .";
  if (blank_after_period) out += U' ';
  return out + s.substr(dot + 1, closed - dot - 1) + U" ";
}

// Blanks around a colon or comma, unless a digit follows it (5:30, 1,000).
Text colons_and_commas(Text s) {
  if (s.find_first_of(U":,") == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (any_of(s[i], U":,") && i + 1 < s.size() && !is_digit(s[i + 1])) {
      out += U' ', out += s[i], out += U' ', out += s[i + 1];
      ++i;  // the character after it is spent: of two commas in a row only the first is set apart
    } else {
      out += s[i];
    }
  }
  const std::size_t last = out.size() - (!out.empty() && out.back() == U'\n' ? 1 : 0);
  if (last > 0 && any_of(out[last - 1], U":,")) {
    out.insert(last, U" ");
    out.insert(last - 1, U" ");
  }
  return out;
}

// An apostrophe before a blank closes a quotation or marks a plural's possessive.
Text closing_apostrophes(Text s) {
  if (s.find(U'\'') == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    if (s[i] != U'\'' && i + 2 < s.size() && s[i + 1] == U'\'' && s[i + 2] == U' ') {
      out += s[i], out += U" ' ";
      i += 3;
    } else {
      out += s[i++];
    }
  }
  return out;
}

Text single_blanks(Text s) {
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!is_space(s[i])) {
      out += s[i];
    } else if (i == 0 || !is_space(s[i - 1])) {
      out += U' ';
    }
  }
  return out;
}

// Parts clitics that end a word from it. A clitic is spelt in one case throughout when it has two
// letters: "'Ll" is none.
Text part_clitics(Text s, const std::vector<View>& clitics) {
  if (s.find(U'\'') == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    std::size_t n = 0;
    if (s[i] != U'\'' && s[i] != U' ') {
      for (View clitic : clitics) {
        if (View(s).substr(i + 1, clitic.size()) == clitic &&
            View(s).substr(i + 1 + clitic.size(), 1) == U" ") {
          n = clitic.size();
          break;
        }
      }
    }
    if (n == 0) {
      out += s[i++];
      continue;
    }
    out += s[i], out += U' ', out.append(s, i + 1, n), out += U' ';
    i += n + 2;
  }
  return out;
}

// Two words written as one (cannot, gonna, 'tis) become two again.
struct Fused {
  std::string_view first, second;
};

Text part_fused(Text s, const Fused& word) {
  const std::size_t n = word.first.size() + word.second.size();
  // "wanna" only before white space; the others before any end of a word.
  const bool needs_space = word.first == "wan";
  const auto here = [&](std::size_t i) {
    return matches(s, i, word.first) && matches(s, i + word.first.size(), word.second) &&
           edge(s, i) && (needs_space ? i + n < s.size() && is_space(s[i + n]) : edge(s, i + n));
  };
  std::size_t first = 0;
  while (first < s.size() && !here(first)) ++first;
  if (first == s.size()) return s;
  Text out = s.substr(0, first);
  for (std::size_t i = first; i < s.size();) {
    if (!here(i)) {
      out += s[i++];
      continue;
    }
    out += U' ', out.append(s, i, word.first.size());
    out += U' ', out.append(s, i + word.first.size(), word.second.size()), out += U' ';
    i += n;
  }
  return out;
}

Text part_tis(Text s, std::string_view verb) {
  if (s.find(U'\'') == Text::npos) return s;
  Text out;
  out.reserve(s.size() + 16);
  for (std::size_t i = 0; i < s.size();) {
    if (s[i] == U' ' && matches(s, i + 1, "'t") && matches(s, i + 3, verb) &&
        edge(s, i + 3 + verb.size())) {
      out += U' ', out.append(s, i + 1, 2);
      out += U' ', out.append(s, i + 3, verb.size()), out += U' ';
      i += 3 + verb.size();
    } else {
      out += s[i++];
    }
  }
  return out;
}

// The passes, in the order that matters: opening quotes, punctuation, brackets, dashes, closing
// quotes and clitics, words written as one. The result's words are parted by white space.
Text treebank(Text s) {
  s = pad_runs(pad(std::move(s), U"«“‘„"), U'`', 1);
  if (!s.empty() && s[0] == U'"') s.replace(0, 1, U"``");
  s = replace(std::move(s), U"``", U" `` ");
  s = opening_quotes(std::move(s));
  s = single_letter_quotes(std::move(s));

  s = final_period(std::move(s), U"])}>\"'»”’ ", true);
  s = colons_and_commas(std::move(s));
  s = pad_runs(std::move(s), U'.', 2);
  s = pad(std::move(s), U";@#$%&");
  s = final_period(std::move(s), U"])}>\"'", false);
  s = pad(std::move(s), U"?!");
  s = closing_apostrophes(std::move(s));
  s = pad(std::move(s), U"*");

  s = pad(std::move(s), U"][(){}<>");
  s = replace(std::move(s), U"--", U" -- ");
  s = U" " + s + U" ";

  s = pad(std::move(s), U"»”’");
  s = replace(std::move(s), U"''", U" '' ");
  s = replace(std::move(s), U"\"", U" '' ");
  s = single_blanks(std::move(s));
  s = part_clitics(std::move(s), {U"'s", U"'S", U"'m", U"'M", U"'d", U"'D", U"'"});
  s = part_clitics(std::move(s), {U"'ll", U"'LL", U"'re", U"'RE", U"'ve", U"'VE", U"n't", U"N'T"});

  static constexpr std::array<Fused, 8> kFused = {{{"can", "not"},
                                                   {"d", "'ye"},
                                                   {"gim", "me"},
                                                   {"gon", "na"},
                                                   {"got", "ta"},
                                                   {"lem", "me"},
                                                   {"more", "'n"},
                                                   {"wan", "na"}}};
  for (const Fused& word : kFused) s = part_fused(std::move(s), word);
  return part_tis(part_tis(std::move(s), "is"), "was");
}

// Words before a full stop that do not end the sentence, without that stop.
bool is_abbreviation(const Text& word) {
  static constexpr std::array<std::string_view, 16> kKnown = {
      "mr",  "mrs", "ms",  "dr",  "st", "vs", "etc",  "e.g",
      "i.e", "u.s", "a.m", "p.m", "jr", "sr", "prof", {}};
  std::string ascii;
  for (char32_t c : word) {
    if (c >= 0x80) return word.size() == 1 && c >= 0xC0 && is_word(c) && !is_digit(c);
    ascii += static_cast<char>(to_lower(c));
  }
  if (ascii.size() == 1) return ascii[0] >= 'a' && ascii[0] <= 'z' && ascii[0] != 'i';
  return !ascii.empty() && std::find(kKnown.begin(), kKnown.end(), ascii) != kKnown.end();
}

// Where the sentences of a text stand, without the white space around them.
std::vector<std::pair<std::size_t, std::size_t>> sentences_of(const Text& s) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  std::size_t start = 0;
  const auto take = [&](std::size_t end) {
    std::size_t a = start, b = end;
    while (a < b && is_space(s[a])) ++a;
    while (b > a && is_space(s[b - 1])) --b;
    if (b > a) out.emplace_back(a, b);
    start = end;
  };
  for (std::size_t i = 0; i < s.size();) {
    if (!any_of(s[i], U".?!")) {
      ++i;
      continue;
    }
    const std::size_t run = i;
    while (i < s.size() && any_of(s[i], U".?!")) ++i;
    const std::size_t run_end = i;
    while (i < s.size() && any_of(s[i], U"\"')]}»”’")) ++i;
    if (i >= s.size() || !is_space(s[i])) continue;
    if (run_end - run == 1 && s[run] == U'.') {
      // The word that the full stop belongs to, without quotes or brackets that open before it.
      std::size_t word = run;
      while (word > start && !is_space(s[word - 1])) --word;
      while (word < run && !is_word(s[word])) ++word;
      if (is_abbreviation(s.substr(word, run - word))) continue;
    }
    take(i);
  }
  take(s.size());
  return out;
}

// Calls `word` with each of the words that the rules part a sentence into, as they stand in `s`.
template <class F>
void each_word(const Text& s, F&& word) {
  for (std::size_t i = 0; i < s.size();) {
    if (is_space(s[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < s.size() && !is_space(s[end])) ++end;
    word(View(s).substr(i, end - i));
    i = end;
  }
}

}  // namespace

std::vector<std::string> split_sentences(std::string_view text) {
  const Text s = decode_utf8(text);
  std::vector<std::string> out;
  for (const auto& [begin, end] : sentences_of(s)) {
    out.push_back(encode_utf8(View(s).substr(begin, end - begin)));
  }
  return out;
}

std::vector<std::string> tokenize_sentence(std::string_view sentence) {
  std::vector<std::string> out;
  each_word(treebank(decode_utf8(sentence)), [&](View word) { out.push_back(encode_utf8(word)); });
  return out;
}

std::vector<std::string> word_tokenize(std::string_view text, Case letters) {
  const Text s = decode_utf8(letters == Case::lower ? to_lower(text) : std::string(text));
  std::vector<std::string> out;
  for (const auto& [begin, end] : sentences_of(s)) {
    each_word(treebank(s.substr(begin, end - begin)),
              [&](View word) { out.push_back(encode_utf8(word)); });
  }
  return out;
}

std::int64_t word_count(std::string_view text) {
  const Text s = decode_utf8(text);
  std::int64_t n = 0;
  for (const auto& [begin, end] : sentences_of(s)) {
    each_word(treebank(s.substr(begin, end - begin)), [&](View) { ++n; });
  }
  return n;
}

}  // namespace straq::dialogue
