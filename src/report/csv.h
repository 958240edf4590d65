// Reading CSV as spreadsheets write it: index.csv, and rating sheets that came back from people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace straq::report {

struct CsvRow {
  long line = 0;  // where the row begins, from 1
  std::vector<std::string> fields;
};

// RFC 4180 with `separator`: quoted fields may hold separators, line ends and doubled quotes. A
// byte order mark and carriage returns outside of quotes are dropped, blank lines are no rows.
std::vector<CsvRow> parse_csv(std::string_view text, char separator = ',');

}  // namespace straq::report
