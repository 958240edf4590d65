#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "core/error.h"
#include "text/split.h"

namespace straq::text {
namespace {

// White_Space as the inside of a class, and all else as another.
constexpr const char* space_members =
    R"(\x{9}-\x{d} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char* non_space_members =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff})"
    R"(\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

[[noreturn]] void refuse(const std::string& pattern, std::size_t at, const std::string& why) {
  fail_input(
      "split pattern \"" + pattern + "\", character " + std::to_string(at) + ": " + why,
      "use the model's sentencepiece file where it has one, or a tokenizer.json of the GPT-2 or "
      "Llama 3 type");
}

}  // namespace

std::string pattern_for_pcre2(const std::string& pattern) {
  static const std::string same_escapes = "pPdDrntfexAz";  // mean the same on both sides
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (++i == pattern.size()) refuse(pattern, i, "a backslash ends it");
      const char e = pattern[i];
      const bool letter = (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z');
      if (e == 's' || e == 'S') {
        // PCRE2's \s holds U+180E, which left White_Space with Unicode 6.3.
        const std::string members = e == 's' ? space_members : non_space_members;
        out += in_class ? members : "[" + members + "]";
      } else if ((letter && same_escapes.find(e) == std::string::npos) || (e >= '0' && e <= '9')) {
        refuse(pattern, i, std::string("\\") + e + " is not supported");
      } else {
        out += '\\';
        out += e;
      }
      continue;
    }
    if (in_class) {
      if (c == '[') refuse(pattern, i, "a class inside a class is not supported");
      if (c == '&' && pattern.compare(i, 2, "&&") == 0) {
        refuse(pattern, i, "class intersection is not supported");
      }
      if (c == ']') in_class = false;
    } else if (c == '[') {
      in_class = true;
    }
    out += c;
  }
  return out;
}

struct RegexSplitter::State {
  pcre2_code* code = nullptr;
  ~State() { pcre2_code_free(code); }
};

RegexSplitter::RegexSplitter() : state_(std::make_unique<State>()) {}

RegexSplitter RegexSplitter::literal(const std::string& text) {
  RegexSplitter out;
  int error = 0;
  PCRE2_SIZE at = 0;
  out.state_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                   PCRE2_UTF | PCRE2_LITERAL, &error, &at, nullptr);
  if (out.state_->code == nullptr) refuse(text, at, "it can't be searched for");
  pcre2_jit_compile(out.state_->code, PCRE2_JIT_COMPLETE);
  return out;
}

RegexSplitter::RegexSplitter(const std::string& pattern) : RegexSplitter() {
  const std::string translated = pattern_for_pcre2(pattern);
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE at = 0;
  state_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &at, context);
  pcre2_compile_context_free(context);
  if (state_->code == nullptr) {
    char message[256];
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    refuse(pattern, at, message);
  }
  // Where the machine has no JIT the interpreter gives the same matches.
  pcre2_jit_compile(state_->code, PCRE2_JIT_COMPLETE);
}

RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

namespace {

// Matches and the stretches between them, in order; together they are the whole text.
struct Part {
  std::size_t begin, end;
  bool match;
};

void find_parts(const pcre2_code* code, std::string_view text, bool invert,
                std::vector<Part>& parts) {
  using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
  const MatchData match(pcre2_match_data_create_from_pattern(code, nullptr),
                        &pcre2_match_data_free);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t done = 0;    // the text before it is in `parts`
  std::size_t search = 0;  // where the next match may start
  while (search <= text.size()) {
    const int found =
        pcre2_match(code, subject, text.size(), search, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      char message[256];
      pcre2_get_error_message(found, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
      fail_runtime(std::string("the split pattern failed on a text of ") +
                   std::to_string(text.size()) + " bytes: " + message);
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
    if (ends[0] > done) parts.push_back({done, ends[0], invert});
    parts.push_back({ends[0], ends[1], !invert});
    done = ends[1];
    search = done;
    if (ends[1] == ends[0]) {
      // Nothing matched here: look again one character further, or the search would not end.
      search += search < text.size() ? utf8_character(text.data() + search).bytes : 1;
    }
  }
  if (done < text.size()) parts.push_back({done, text.size(), invert});
}

void put_pieces(std::string_view text, const std::vector<Part>& parts, SplitBehavior behavior,
                std::vector<std::string_view>& pieces) {
  const auto put = [&](std::size_t begin, std::size_t end) {
    if (end > begin) pieces.push_back(text.substr(begin, end - begin));
  };
  std::size_t begin = 0, end = 0;  // the piece that may still grow
  bool before = false;
  switch (behavior) {
    case SplitBehavior::isolated:
      for (const Part& p : parts) put(p.begin, p.end);
      return;
    case SplitBehavior::removed:
    case SplitBehavior::kept:
      for (const Part& p : parts) {
        if (p.match == (behavior == SplitBehavior::kept)) put(p.begin, p.end);
      }
      return;
    case SplitBehavior::contiguous:
    case SplitBehavior::merged_with_previous:
      for (const Part& p : parts) {
        const bool join =
            behavior == SplitBehavior::contiguous ? p.match == before : p.match && !before;
        if (!join) {
          put(begin, end);
          begin = p.begin;
        }
        end = p.end;
        before = p.match;
      }
      put(begin, end);
      return;
    case SplitBehavior::merged_with_next: {
      // The reference goes from the end to the start.
      const std::size_t first = pieces.size();
      begin = end = text.size();
      for (auto p = parts.rbegin(); p != parts.rend(); ++p) {
        if (!(p->match && !before)) {
          put(begin, end);
          end = p->end;
        }
        begin = p->begin;
        before = p->match;
      }
      put(begin, end);
      std::reverse(pieces.begin() + static_cast<std::ptrdiff_t>(first), pieces.end());
      return;
    }
  }
}

}  // namespace

void RegexSplitter::split(std::string_view text, SplitBehavior behavior, bool invert,
                          std::vector<std::string_view>& pieces) const {
  thread_local std::vector<Part> parts;
  parts.clear();
  find_parts(state_->code, text, invert, parts);
  put_pieces(text, parts, behavior, pieces);
}

}  // namespace straq::text
