// CSV, once for everybody: how foreign tables are read (RFC 4180 with what spreadsheets make of it)
// and how a cell is written so that no spreadsheet takes foreign text for a formula.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace straq {

struct CsvRow {
  long line = 0;  // where the row begins, from 1
  std::vector<std::string> fields;
};

struct CsvFile {
  char separator = ',';
  std::vector<CsvRow> rows;
  // What is no CSV: a quote that is not closed, text behind a closing quote. Rows before stand.
  std::string reason;
  long line = 0;
};

// Rows of a text without a byte order mark (core/files/text_file.h). Quoted fields may hold
// separators, line ends and doubled quotes; a quote inside of an unquoted field is itself. LF, CRLF
// and CR end rows; blank lines are no rows. `separator` 0: a first line "sep=;" says it (and is no
// row), else it is what parts the first row most often: comma, semicolon, tab or bar.
CsvFile read_csv(std::string_view text, char separator = ',');

// A field as CSV writes it: in quotes where it must be.
std::string csv_quoted(const std::string& text);

// Whether a spreadsheet may take the text for a formula or a command: it begins with = + - @ (also
// in their full-width and small forms), alone or behind blanks, invisible characters and quotes, or
// with a tab or a line end.
bool looks_like_formula(std::string_view text);

// Foreign text with an apostrophe, which spreadsheets take as "this is text", before what looks
// like a formula.
std::string csv_defused(const std::string& text);

// csv_defused as a field, quoted where any spreadsheet needs it.
std::string csv_text(const std::string& text);

// A field that was read, as it was before csv_text. (Older sheets were defused by a blank: trimming
// is all they need.)
std::string csv_text_read(std::string_view field);

// A decimal number and nothing else ("-0.5", "1e-3"; not "12 %"), which is no formula.
bool is_plain_number(std::string_view text);

}  // namespace straq
