// Pre-tokenization of byte-level BPE: text is cut into pieces (words with their leading blank,
// numbers, punctuation, white space) and bytes merge inside a piece only. The patterns of GPT-2 and
// of Llama 3 are written out by hand, which is many times as fast as a regular expression engine;
// any other pattern goes to PCRE2 after a check that it means the same there.
#pragma once

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

// A split pattern run by PCRE2 with the meaning it has in Hugging Face tokenizers (Oniguruma, Ruby
// syntax): \s is Unicode's White_Space, ^ and $ match at lines. \p{…} is by PCRE2's own Unicode
// version.
class RegexSplitter {
 public:
  // Throws Error(input) naming the pattern and the place when PCRE2 can't compile it or would read
  // it in another way than the reference (\w, \b, \h, nested classes).
  explicit RegexSplitter(const std::string& pattern);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  // Appends the matches and, if `keep_gaps`, the text between them, in order.
  void split(std::string_view text, bool keep_gaps, std::vector<std::string_view>& pieces) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The pattern as PCRE2 must get it; part of RegexSplitter, open for tests.
std::string pattern_for_pcre2(const std::string& pattern);

// One or more splits after each other, each cutting the pieces of the one before.
class PreTokenizer {
 public:
  // By pattern: the two known ones by hand, others by PCRE2. `keep_gaps` false drops the text that
  // the pattern does not match.
  void add_pattern(const std::string& pattern, bool keep_gaps = true);
  void add_digits(bool individual);

  // Replaces `pieces` by the pieces of `text` (valid UTF-8); views into `text`, none of them empty.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  enum class Kind { gpt2, llama3, regex, digits };
  struct Stage {
    Kind kind;
    bool flag = false;  // regex: keep gaps; digits: each alone
    std::shared_ptr<RegexSplitter> regex;
  };
  static void run(const Stage& stage, std::string_view text, std::vector<std::string_view>& out);
  std::vector<Stage> stages_;
};

}  // namespace straq::text
