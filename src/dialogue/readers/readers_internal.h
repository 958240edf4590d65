// What the readers of the single formats share: the bytes, where a line is, and how a problem is
// reported. For readers*.cpp only.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dialogue/readers/readers.h"

namespace straq::dialogue::internal {

struct Source {
  std::string_view bytes;  // valid UTF-8, without a byte order mark
  std::string path;
  std::string stem;
  const StrategySet& strategies;
  const OnProblem& on_problem;
  bool reported = false;        // a problem was reported
  std::set<std::string> ids{};  // of the dialogues so far

  // Throws Error(input), or reports when there is someone to report to.
  void problem(long line, const std::string& message, const std::string& hint);
  long line_of(std::size_t offset) const;
  std::string id_of(std::size_t index) const;
};

// The forms that are read, as a hint.
extern const char* const kFormsHint;

std::vector<Dialogue> read_json_list(Source& source);
std::vector<Dialogue> read_json_lines(Source& source);
std::vector<Dialogue> read_empathetic_csv(Source& source);

}  // namespace straq::dialogue::internal
