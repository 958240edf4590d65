#include "respond/parse.h"

#include <algorithm>
#include <cctype>
#include <regex>

#include "dialogue/utf8.h"

namespace straq::respond {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (static_cast<unsigned char>(c) & 0x80);
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Marks of lists, headings, quotes and emphasis at the beginning of a line, and blanks.
std::size_t behind_marks(const std::string& text, std::size_t at) {
  const auto marks = [&](std::size_t from) {
    while (from < text.size() &&
           (text[from] == ' ' || text[from] == '\t' || text[from] == '*' || text[from] == '_' ||
            text[from] == '#' || text[from] == '>' || text[from] == '-')) {
      ++from;
    }
    return from;
  };
  at = marks(at);
  std::size_t digits = at;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits > at && digits < text.size() && (text[digits] == '.' || text[digits] == ')')) {
    at = marks(digits + 1);
  }
  return at;
}

// A label at `at`: where its text begins, and what stands in its brackets; 0: none is there.
std::size_t label_end(const std::string& text, std::size_t at, const std::string& word,
                      bool any_case, std::string& tag) {
  if (text.size() - at <= word.size()) return 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char a = text[at + i], b = word[i];
    const bool same = a == b || (any_case && std::tolower(static_cast<unsigned char>(a)) ==
                                                 std::tolower(static_cast<unsigned char>(b)));
    if (!same) return 0;
  }
  at += word.size();
  const auto skip = [&](const char* what) {
    while (at < text.size() && std::string(what).find(text[at]) != std::string::npos) ++at;
  };
  skip(" *_");
  std::string inside;
  if (at < text.size() && (text[at] == '(' || text[at] == '[')) {
    const auto close = text.find(text[at] == '(' ? ')' : ']', at);
    if (close == std::string::npos || text.substr(at, close - at).find('\n') != std::string::npos) {
      return 0;
    }
    inside = text.substr(at + 1, close - at - 1);
    at = close + 1;
    skip(" *_");
  }
  if (at >= text.size() || text[at] != ':') return 0;
  ++at;
  skip("*_");
  tag = inside;
  return at;
}

struct FoundLabel {
  const PartLabel* label = nullptr;
  std::size_t begin = 0, end = 0;
  std::string tag;
};

// The next label from `at` on.
FoundLabel next_label(const std::string& text, std::size_t at,
                      const std::vector<PartLabel>& labels) {
  for (; at < text.size(); ++at) {
    const bool line = at == 0 || text[at - 1] == '\n';
    if (!line && !is_blank(text[at - 1])) continue;
    const std::size_t begin = line ? behind_marks(text, at) : at;
    if (begin >= text.size()) continue;
    for (const auto& label : labels) {
      for (const auto& word : label.words) {
        std::string tag;
        if (const auto end = label_end(text, begin, word, line, tag)) {
          return {&label, at, end, std::move(tag)};
        }
      }
    }
  }
  return {};
}

// Where `name` stands in `text` as whole words; both in one case.
std::vector<std::size_t> places_of(const std::string& name, const std::string& text) {
  std::vector<std::size_t> out;
  if (name.empty()) return out;
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; ++at) {
    const bool before = at == 0 || !is_word(text[at - 1]);
    const std::size_t end = at + name.size();
    if (before && (end == text.size() || !is_word(text[end]))) out.push_back(at);
  }
  return out;
}

struct NamedPlace {
  std::size_t begin, end;
  int index;
};

// Which one of several lists of names stands in the text; -1: none or more than one.
int only_named(const std::string& text, const std::vector<std::vector<std::string>>& names) {
  const std::string folded = dialogue::fold_case(text);
  std::vector<NamedPlace> found;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const auto& name : names[i]) {
      const std::string f = dialogue::fold_case(name);
      for (const auto at : places_of(f, folded)) {
        found.push_back({at, at + f.size(), static_cast<int>(i)});
      }
    }
  }
  int only = -1;
  for (const auto& p : found) {
    const bool inside = std::any_of(found.begin(), found.end(), [&](const NamedPlace& q) {
      return q.index != p.index && q.begin <= p.begin && q.end >= p.end &&
             q.end - q.begin > p.end - p.begin;
    });
    if (inside || p.index == only) continue;
    if (only >= 0) return -1;
    only = p.index;
  }
  return only;
}

// A number in front, as "(3) …", "3. …", "#3": the number, and what follows it; 0: there is none.
int leading_number(const std::string& text, std::string& rest) {
  std::size_t at = 0;
  while (at < text.size() && (text[at] == '(' || text[at] == '[' || text[at] == '#')) ++at;
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  if (end == at || end - at > 3 || (end < text.size() && is_word(text[end]))) return 0;
  const int number = std::stoi(text.substr(at, end - at));
  while (end < text.size() && std::string(")].:- ").find(text[end]) != std::string::npos) ++end;
  rest = text.substr(end);
  return number;
}

std::vector<std::vector<std::string>> names_of_all(const dialogue::StrategySet& strategies) {
  std::vector<std::vector<std::string>> out;
  for (const auto& s : strategies.items()) {
    out.push_back(s.aliases);
    out.back().push_back(s.name);
  }
  return out;
}

}  // namespace

const std::vector<PartLabel>& answer_labels() {
  static const std::vector<PartLabel> kLabels = {
      {"emotion", {"Emotion", "Feeling", "Feelings"}},
      {"strategy", {"Strategy", "Support strategy", "Chosen strategy"}},
      {"reply", {"Reply", "Response", "Message", "Utterance", "Supporter", "Assistant"}},
      {"seeker", {"Seeker", "User"}}};
  return kLabels;
}

const std::string* AnswerParts::find(const std::string& part) const {
  const auto it = parts.find(part);
  return it == parts.end() ? nullptr : &it->second;
}

AnswerParts cut_answer(const std::string& text, const std::vector<PartLabel>& labels) {
  AnswerParts out;
  FoundLabel label = next_label(text, 0, labels);
  out.before = text.substr(0, label.label ? label.begin : text.size());
  while (label.label != nullptr) {
    const FoundLabel next = next_label(text, label.end, labels);
    const std::size_t end = next.label ? next.begin : text.size();
    const bool fresh =
        out.parts.emplace(label.label->part, text.substr(label.end, end - label.end)).second;
    if (fresh && out.tag.empty()) out.tag = label.tag;
    label = next;
  }
  return out;
}

std::string bare_text(const std::string& text) {
  std::string out = dialogue::normalise_space(text);
  const auto around = [&](const std::string& open, const std::string& close) {
    if (out.size() <= open.size() + close.size() || !out.starts_with(open) ||
        !out.ends_with(close)) {
      return false;
    }
    const std::string inside = out.substr(open.size(), out.size() - open.size() - close.size());
    // Two quotations beside each other are not one.
    if (inside.find(open) != std::string::npos || inside.find(close) != std::string::npos) {
      return false;
    }
    out = dialogue::normalise_space(inside);
    return true;
  };
  while (around("\"", "\"") || around("\u201c", "\u201d") || around("**", "**") ||
         around("*", "*") || around("'", "'")) {
  }
  return out;
}

int strategy_of(const std::string& words, const dialogue::StrategySet& strategies) {
  const auto exact = [&](std::string text) {
    for (const char* const strip : {"", ".", ",", ":", ")", "]", "\""}) {
      if (*strip != '\0' && text.ends_with(strip))
        text = bare_text(text.substr(0, text.size() - 1));
      for (int s = 0; s < strategies.size(); ++s) {
        if (dialogue::fold_case(strategies[s].abbreviation) == dialogue::fold_case(text)) return s;
      }
      if (const auto found = strategies.find(text)) return *found;
    }
    return -1;
  };
  std::string text = bare_text(words);
  if (text.starts_with("[") || text.starts_with("(")) {
    if (const int s = exact(text.substr(1)); s >= 0) return s;
  }
  if (const int s = exact(text); s >= 0) return s;
  std::string rest;
  const int number = leading_number(text, rest);
  if (const int s = number > 0 ? exact(rest) : -1; s >= 0) return s;
  if (const int s = only_named(text, names_of_all(strategies)); s >= 0) return s;
  // "Question or Information" names two: a number in front would not make it clear.
  const bool none = [&] {
    for (const auto& names : names_of_all(strategies)) {
      if (only_named(text, {names}) == 0) return false;
    }
    return true;
  }();
  return none && number >= 1 && number <= strategies.size() ? number - 1 : -1;
}

// "1-5", "1 to 5": the ends of a scale that is spoken of.
static const std::regex kRangeGoesOn(R"( ?(-|–|to) ?[0-9])");

std::optional<int> number_of(const std::string& text, int low, int high) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at])) continue;
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) ++end;
    const char before = at > 0 ? text[at - 1] : ' ';
    const bool range =
        std::regex_search(text.begin() + static_cast<std::ptrdiff_t>(end), text.end(), kRangeGoesOn,
                          std::regex_constants::match_continuous) ||
        (at >= 3 && text.compare(at - 3, 3, "to ") == 0);
    const bool part_of_more =
        range || before == '/' || before == '.' || before == '-' || is_word(before) ||
        (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) ||
        (end < text.size() && is_word(text[end]));
    if (!part_of_more && end - at < 4) {
      const int n = std::stoi(text.substr(at, end - at));
      if (n >= low && n <= high) return n;
    }
    at = end;
    // The rest of a decimal or of a range is no number of its own.
    while (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
      ++at;
      while (at < text.size() && is_digit(text[at])) ++at;
    }
    --at;
  }
  return std::nullopt;
}

std::optional<bool> verdict_of(const std::string& text) {
  std::string word;
  for (const char c : text + " ") {
    if (is_word(c)) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    if (word == "yes") return true;
    if (word == "no") return false;
    word.clear();
  }
  return std::nullopt;
}

int name_of(const std::string& text, const std::vector<std::string>& names) {
  std::vector<std::vector<std::string>> each;
  each.reserve(names.size());
  for (const auto& n : names) each.push_back({n});
  return only_named(text, each);
}

}  // namespace straq::respond
