#include <algorithm>
#include <array>
#include <utility>

#include "core/tables/csv_stream.h"

namespace straq {
namespace {

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

// The separator that the first row has most of, outside of quotes.
char separator_of(std::string_view text) {
  constexpr std::array<char, 4> kKnown = {',', ';', '\t', '|'};
  std::array<std::size_t, 4> counts{};
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (ends_line(c)) break;
    for (std::size_t k = 0; k < kKnown.size(); ++k) counts[k] += c == kKnown[k];
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return kKnown[static_cast<std::size_t>(most - counts.begin())];
}

// One row at the beginning of a text, of which more may follow (`last`: nothing does).
class RowParser {
 public:
  enum class Result { row, incomplete, broken };

  RowParser(std::string_view text, char separator, bool last, CsvRow& row)
      : s_(text), separator_(separator), last_(last), row_(row), line_(row.line) {}

  // `row` gets the fields.
  Result parse() {
    for (;;) {
      std::string field;
      if (i_ < s_.size() && s_[i_] == '"') {
        const Result quoted = read_quoted(field);
        if (quoted != Result::row) return quoted;
      } else {
        while (i_ < s_.size() && s_[i_] != separator_ && !ends_line(s_[i_])) field += s_[i_++];
      }
      row_.fields.push_back(std::move(field));
      if (i_ == s_.size()) return last_ ? Result::row : Result::incomplete;
      if (s_[i_] == separator_) {
        ++i_;
        continue;
      }
      if (s_[i_] == '\r' && i_ + 1 == s_.size() && !last_) return Result::incomplete;
      i_ += s_[i_] == '\r' && i_ + 1 < s_.size() && s_[i_ + 1] == '\n' ? 2 : 1;
      return Result::row;
    }
  }
  std::size_t taken() const { return i_; }
  const char* reason() const { return reason_; }
  long line() const { return reason_line_; }

 private:
  Result read_quoted(std::string& field) {
    const long opened = line_;
    for (++i_; i_ < s_.size(); ++i_) {
      const char c = s_[i_];
      if (i_ + 1 == s_.size() && !last_) break;
      const bool doubled = i_ + 1 < s_.size() && s_[i_ + 1] == '"';
      if (c == '"' && doubled) {
        field += '"';
        ++i_;
      } else if (c == '"') {
        ++i_;
        if (i_ == s_.size() || s_[i_] == separator_ || ends_line(s_[i_])) return Result::row;
        return broken(line_, "text follows a closing quote; quotes inside of quotes are doubled");
      } else {
        line_ += c == '\n' || (c == '\r' && (i_ + 1 == s_.size() || s_[i_ + 1] != '\n'));
        field += c;
      }
    }
    if (!last_ && s_.size() < kLongestRow) return Result::incomplete;
    return broken(opened, "the quote that opens a field here is not closed");
  }

  Result broken(long line, const char* reason) {
    reason_ = reason;
    reason_line_ = line;
    return Result::broken;
  }

  // A quote that is not closed by then is not meant to be.
  static constexpr std::size_t kLongestRow = std::size_t{64} << 20;

  std::string_view s_;
  char separator_;
  bool last_;
  CsvRow& row_;
  std::size_t i_ = 0;
  long line_;
  const char* reason_ = "";
  long reason_line_ = 0;
};

std::string quoted_if(const std::string& text, const char* any) {
  if (text.find_first_of(any) == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// The length of a character that may stand before a formula without keeping a program from seeing
// it: white space, invisible characters and quotes. 0: it is another one.
std::size_t length_before(std::string_view s) {
  const auto byte = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0;
  };
  const auto within = [](int b, int low, int high) { return b >= low && b <= high; };
  if (s.empty()) return 0;
  if (std::string_view(" \t\r\n\v\f\"'`").find(s[0]) != std::string_view::npos) return 1;
  // U+0085, no-break blank, guillemets, soft hyphen
  if (byte(0) == 0xC2) {
    const int b = byte(1);
    return b == 0x85 || b == 0xA0 || b == 0xAB || b == 0xAD || b == 0xBB ? 2 : 0;
  }
  const bool general =  // blanks and marks of direction, quotes, separators, joiners
      byte(0) == 0xE2 &&
      ((byte(1) == 0x80 && (within(byte(2), 0x80, 0x8F) || within(byte(2), 0x98, 0x9F) ||
                            within(byte(2), 0xA8, 0xAF))) ||
       (byte(1) == 0x81 && within(byte(2), 0x9F, 0xA4)));
  const std::string_view three = s.substr(0, 3);
  return general || three == "\u1680" || three == "\u3000" || three == "\uFEFF" ? 3 : 0;
}

constexpr std::array<std::string_view, 14> kFormula = {
    "=",      "+",      "-",      "@",      "\uFF1D", "\uFF0B", "\uFF0D",
    "\uFF20", "\uFE66", "\uFE62", "\uFE63", "\uFE6B", "\u207C", "\u207A"};

template <std::size_t n>
std::size_t length_of_any(std::string_view text, const std::array<std::string_view, n>& any) {
  for (const std::string_view one : any) {
    if (text.substr(0, one.size()) == one) return one.size();
  }
  return 0;
}

}  // namespace

std::optional<PlacedRow> CsvStream::next() {
  if (!reason_.empty()) return std::nullopt;
  text_.drop(std::exchange(taken_, 0));
  text_.line_end();
  for (bool last = false;;) {
    if (text_.window().empty() && !text_.more()) return std::nullopt;
    PlacedRow row;
    row.line = text_.line();
    row.offset = text_.offset();
    RowParser parser(text_.window(), separator_, last, row);
    const auto result = parser.parse();
    if (result == RowParser::Result::incomplete) {
      last = !text_.more();
      if (last && text_.fault() != nullptr) return std::nullopt;
      continue;
    }
    if (result == RowParser::Result::broken) {
      reason_ = parser.reason();
      line_ = parser.line();
      return std::nullopt;
    }
    row.end = row.offset + parser.taken();
    // A line end alone is no row; a field that is quoted and empty is one.
    if (row.fields.size() == 1 && row.fields[0].empty() && text_.window()[0] != '"') {
      text_.drop(parser.taken());
      last = false;
      continue;
    }
    taken_ = parser.taken();
    return row;
  }
}

CsvFile read_csv(std::string_view text, char separator) {
  CsvFile out;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  long first_line = 1;
  if (separator == 0) {
    std::string_view head = text.substr(0, text.find_first_of("\r\n"));
    std::size_t end = head.size();
    if (head.size() > 1 && head.front() == '"' && head.back() == '"') {
      head = head.substr(1, head.size() - 2);
    }
    if (head.size() == 5 && head.substr(0, 4) == "sep=") {
      separator = head[4];
      end += text.substr(end, 2) == "\r\n" ? 2 : end < text.size() ? 1 : 0;
      text.remove_prefix(end);
      ++first_line;
    } else {
      separator = separator_of(text);
    }
  }
  out.separator = separator;
  TextStream stream = TextStream::of_decoded(text);
  CsvStream rows(stream, separator);
  while (auto row = rows.next()) {
    row->line += first_line - 1;
    out.rows.push_back(std::move(*row));
  }
  out.reason = rows.reason();
  if (rows.line() > 0) out.line = rows.line() + first_line - 1;
  return out;
}

std::string csv_quoted(const std::string& text) {
  return quoted_if(text, ",\"\r\n");
}

bool looks_like_formula(std::string_view text) {
  if (!text.empty() && (text[0] == '\t' || ends_line(text[0]))) return true;
  while (const std::size_t n = length_before(text)) text.remove_prefix(n);
  return length_of_any(text, kFormula) > 0;
}

std::string csv_defused(const std::string& text) {
  return looks_like_formula(text) ? "'" + text : text;
}

std::string csv_text(const std::string& text) {
  // Sheets are opened where semicolons or tabs part cells, too.
  return quoted_if(csv_defused(text), ",\"\r\n;\t");
}

std::string csv_text_read(std::string_view field) {
  if (field.substr(0, 1) == "'" && looks_like_formula(field.substr(1))) field.remove_prefix(1);
  return std::string(field);
}

bool is_plain_number(std::string_view s) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < s.size() && s[i] >= '0' && s[i] <= '9') ++i;
    return i - from;
  };
  if (i < s.size() && (s[i] == '-' || s[i] == '+')) ++i;
  std::size_t n = digits();
  if (i < s.size() && s[i] == '.') {
    ++i;
    n += digits();
  }
  if (n == 0) return false;
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    ++i;
    if (i < s.size() && (s[i] == '-' || s[i] == '+')) ++i;
    if (digits() == 0) return false;
  }
  return i == s.size();
}

}  // namespace straq
