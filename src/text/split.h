// Pre-tokenization of byte-level BPE: text is cut into pieces (words with their leading blank,
// numbers, punctuation, white space) and bytes merge inside a piece only. The patterns of GPT-2 and
// of Llama 3 are written out by hand, which is many times as fast as a regular expression engine;
// any other pattern goes to PCRE2 after a check that it means the same there.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace straq::text {

// The patterns as the models' files write them; recognised by these spellings.
extern const std::string_view gpt2_pattern;
extern const std::string_view llama3_pattern;

// Each appends the pieces of `text` (valid UTF-8) to `pieces`; together they are the whole text.
void split_gpt2(std::string_view text, std::vector<std::string_view>& pieces);
void split_llama3(std::string_view text, std::vector<std::string_view>& pieces);
// Numbers apart from the rest: each digit alone, or runs of them.
void split_digits(std::string_view text, bool individual, std::vector<std::string_view>& pieces);

// What becomes of the places where a pattern matches, by the names of Hugging Face's Split:
// `isolated` pieces of their own (the text between them too), `removed` dropped, `kept` alone kept
// (removed, inverted), or joined to the text before or after them, or to matches beside them.
enum class SplitBehavior {
  isolated,
  removed,
  kept,
  merged_with_previous,
  merged_with_next,
  contiguous
};

// A split pattern run by PCRE2 with the meaning it has in Hugging Face tokenizers (Oniguruma, Ruby
// syntax): \s is Unicode's White_Space, ^ and $ match at lines. \p{…} is by PCRE2's own Unicode
// version.
class RegexSplitter {
 public:
  // Throws Error(input) naming the pattern and the place when PCRE2 can't compile it or would read
  // it in another way than the reference (\w, \b, \h, nested classes).
  explicit RegexSplitter(const std::string& pattern);
  // Matches this very text.
  static RegexSplitter literal(const std::string& text);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  // Appends the pieces of `text`, none of them empty. With `invert` what does not match counts as
  // matching and the reverse.
  void split(std::string_view text, SplitBehavior behavior, bool invert,
             std::vector<std::string_view>& pieces) const;

 private:
  RegexSplitter();
  struct State;
  std::unique_ptr<State> state_;
};

// The pattern as PCRE2 must get it; part of RegexSplitter, open for tests.
std::string pattern_for_pcre2(const std::string& pattern);

// Sentencepiece's way with blanks, as Hugging Face's Metaspace does it: each becomes `replacement`
// (U+2581), and one more is put before the piece if it begins with none.
struct Metaspace {
  enum class Prepend { always, first, never };  // first: before the piece at the text's start only
  std::string replacement;
  Prepend prepend = Prepend::always;
  bool split = true;  // pieces begin at each replacement
};

// One or more splits after each other, each cutting the pieces of the one before.
class PreTokenizer {
 public:
  // By pattern: the two known ones by hand, others by PCRE2.
  void add_pattern(const std::string& pattern, SplitBehavior behavior = SplitBehavior::isolated,
                   bool invert = false);
  void add_literal(const std::string& text, SplitBehavior behavior, bool invert);
  void add_digits(bool individual);
  void add_metaspace(Metaspace metaspace);

  // Replaces `pieces` by the pieces of `text` (valid UTF-8); none of them empty, views into `text`
  // or into `store`, which gets what Metaspace makes. `at_start`: nothing came before `text`.
  void split(std::string_view text, bool at_start, std::deque<std::string>& store,
             std::vector<std::string_view>& pieces) const;

 private:
  enum class Kind { gpt2, llama3, regex, digits, metaspace };
  struct Stage {
    Kind kind;
    bool flag = false;  // regex: invert; digits: each alone
    SplitBehavior behavior = SplitBehavior::isolated;
    std::shared_ptr<RegexSplitter> regex = {};
    Metaspace metaspace = {};
  };
  static void run(const Stage& stage, std::string_view text, bool at_start,
                  std::deque<std::string>& store, std::vector<std::string_view>& out);
  std::vector<Stage> stages_;
};

}  // namespace straq::text
