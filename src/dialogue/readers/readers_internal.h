// What the readers of the single formats share: the text, and how a problem is reported. For
// readers*.cpp only.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/text_stream.h"
#include "dialogue/readers/readers.h"

namespace straq::dialogue::internal {

struct Source {
  TextStream text;
  std::string stem;
  const StrategySet& strategies;
  OnProblem on_problem;
  bool reported = false;  // a problem was reported

  const std::string& path() const { return text.path(); }
  // Throws Error(input), or reports when there is someone to report to.
  void problem(long line, const std::string& message, const std::string& hint);
  // The fault that the text ended at, if any.
  void report_fault();
  std::string id_of(std::size_t index) const;
};

// The forms that are read, as a hint.
extern const char* const kFormsHint;

// Reads one format.
class FormatReader {
 public:
  virtual ~FormatReader() = default;
  virtual std::optional<Dialogue> next() = 0;
  // Of the dialogue that next() gave last.
  virtual const DialoguePlace& place() const = 0;
  // The dialogue at a place of the same file; nothing where there is none, or problems were
  // reported. Of a reader whose next() is not asked.
  virtual std::optional<Dialogue> at(const DialoguePlace& place) = 0;
};

// `text` stands at its beginning.
std::unique_ptr<FormatReader> json_list_reader(Source& source);
std::unique_ptr<FormatReader> json_lines_reader(Source& source);
std::unique_ptr<FormatReader> empathetic_csv_reader(Source& source);

}  // namespace straq::dialogue::internal
