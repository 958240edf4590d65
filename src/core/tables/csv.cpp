#include "core/tables/csv.h"

#include <algorithm>
#include <array>
#include <utility>

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

class Reader {
 public:
  Reader(std::string_view text, CsvFile& out) : s_(text), out_(out) {}

  void run(long first_line) {
    line_ = first_line;
    while (i_ < s_.size()) {
      row_ = {line_, {}};
      const std::size_t start = i_;
      if (!read_row()) return;
      // A line end alone is no row; a field that is quoted and empty is one.
      if (row_.fields.size() == 1 && row_.fields[0].empty() && s_[start] != '"') continue;
      out_.rows.push_back(std::move(row_));
    }
  }

 private:
  // Up to behind the row's end; false: the text is broken there.
  bool read_row() {
    for (;;) {
      std::string field;
      if (i_ < s_.size() && s_[i_] == '"') {
        if (!read_quoted(field)) return false;
      } else {
        while (i_ < s_.size() && s_[i_] != out_.separator && !ends_line(s_[i_])) field += s_[i_++];
      }
      row_.fields.push_back(std::move(field));
      if (i_ == s_.size()) return true;
      if (s_[i_] == out_.separator) {
        ++i_;
        continue;
      }
      i_ += s_[i_] == '\r' && i_ + 1 < s_.size() && s_[i_ + 1] == '\n' ? 2 : 1;
      ++line_;
      return true;
    }
  }

  bool read_quoted(std::string& field) {
    const long opened = line_;
    for (++i_; i_ < s_.size(); ++i_) {
      const char c = s_[i_];
      const bool doubled = i_ + 1 < s_.size() && s_[i_ + 1] == '"';
      if (c == '"' && doubled) {
        field += '"';
        ++i_;
      } else if (c == '"') {
        ++i_;
        if (i_ == s_.size() || s_[i_] == out_.separator || ends_line(s_[i_])) return true;
        return broken(line_, "text follows a closing quote; quotes inside of quotes are doubled");
      } else {
        line_ += c == '\n' || (c == '\r' && (i_ + 1 == s_.size() || s_[i_ + 1] != '\n'));
        field += c;
      }
    }
    return broken(opened, "the quote that opens a field here is not closed");
  }

  bool broken(long line, const char* reason) {
    out_.reason = reason;
    out_.line = line;
    return false;
  }

  std::string_view s_;
  CsvFile& out_;
  CsvRow row_;
  std::size_t i_ = 0;
  long line_ = 1;
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
  Reader(text, out).run(first_line);
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
