// Rows of CSV text that comes in pieces (core/files/text_stream.h), with where they lie in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/files/text_stream.h"
#include "core/tables/csv.h"

namespace straq {

struct PlacedRow : CsvRow {
  std::uint64_t offset = 0, end = 0;  // of the row with its line end, as TextStream::offset()
};

// Rows one after the other, of a text that comes in pieces. What rows are: see read_csv.
class CsvStream {
 public:
  // `text` outlives the stream.
  CsvStream(TextStream& text, char separator) : text_(text), separator_(separator) {}
  // The next row; nothing at the end, and where the text is no CSV any more. A row that a fault of
  // the text breaks off is none.
  std::optional<PlacedRow> next();
  // What is no CSV: a quote that is not closed, text behind a closing quote.
  const std::string& reason() const { return reason_; }
  long line() const { return line_; }

 private:
  TextStream& text_;
  char separator_;
  std::size_t taken_ = 0;  // of the window, by the row that was handed out last
  std::string reason_;
  long line_ = 0;
};

}  // namespace straq
