#include "report/csv.h"

namespace straq::report {

std::vector<CsvRow> parse_csv(std::string_view text, char separator) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::vector<CsvRow> rows;
  std::string field;
  bool quoted = false, started = false;
  long line = 1;
  CsvRow row{1, {}};
  const auto end_row = [&] {
    if (started || !row.fields.empty()) {
      row.fields.push_back(std::move(field));
      rows.push_back(std::move(row));
    }
    field.clear();
    started = false;
    row = {line, {}};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        field += '"';
        ++i;
      } else if (c == '"') {
        quoted = false;
      } else {
        field += c;
      }
    } else if (c == '"') {
      quoted = started = true;
    } else if (c == separator) {
      row.fields.push_back(std::move(field));
      field.clear();
      started = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      field += c;
      started = true;
    }
  }
  end_row();
  return rows;
}

}  // namespace straq::report
