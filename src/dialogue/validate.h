// Everything that is wrong with corpus files, listed rather than stopped at: for `straq dataset
// validate`, and for whoever repairs a corpus.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialogue/readers/readers.h"

namespace straq::dialogue {

// Problems of every file in order: what the readers refuse, files that cannot be read, and
// dialogues that occur twice, in one file or in two (a dialogue in two splits leaks answers). Some
// 50 bytes a dialogue stay in memory.
void find_problems(const std::vector<std::string>& paths, Format format,
                   const StrategySet& strategies, const OnProblem& on_problem);

// Problems that differ only in what they quote, in numbers and in places.
struct ProblemKind {
  std::string kind;  // the message with … for what is quoted and N for numbers
  std::int64_t count = 0;
  Problem first;
};

// Problems as they come, of which so many are kept: a corpus of millions may be wrong in every
// line.
class ProblemList {
 public:
  explicit ProblemList(std::size_t most = 100) : most_(most) {}
  void add(const Problem& problem);
  std::int64_t count() const { return count_; }
  const std::vector<Problem>& first() const { return first_; }
  // The most frequent first. Beyond a thousand kinds they are one more, "others".
  std::vector<ProblemKind> kinds() const;

 private:
  std::size_t most_;
  std::int64_t count_ = 0;
  std::vector<Problem> first_;
  std::vector<ProblemKind> kinds_;
};

}  // namespace straq::dialogue
