#include "core/tables/markup.h"

#include <algorithm>
#include <string_view>

namespace straq {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What CommonMark and GitHub take for the beginning of a block where it begins a line.
bool begins_block(std::string_view s) {
  const auto blank_at = [&](std::size_t i) { return i == s.size() || s[i] == ' '; };
  if (s.empty()) return false;
  switch (s[0]) {
    case '#':
      return true;
    case '>':
    case '=':
      return true;
    case '-':
    case '+':
      return blank_at(1) || (s[0] == '-' && s.find_first_not_of("- ") == s.npos);
    default:
      break;
  }
  return false;
}

// Offset of the "." or ")" that would make the beginning a numbered list's item; npos for none.
std::size_t list_number(std::string_view s) {
  std::size_t i = 0;
  while (i < s.size() && i < 10 && is_digit(s[i])) ++i;
  const bool sign = i > 0 && i < s.size() && (s[i] == '.' || s[i] == ')');
  return sign && (i + 1 == s.size() || s[i + 1] == ' ') ? i : s.npos;
}

}  // namespace

std::string escape_markdown(const std::string& text, MarkdownPlace place) {
  std::string s = text;
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  // Text that begins with blanks would be a block of code.
  s.erase(0, std::min(s.find_first_not_of(' '), s.size()));
  const auto follows = [&](std::size_t i, std::string_view what) {
    return s.compare(i, what.size(), what) == 0;
  };
  const bool begins = place == MarkdownPlace::line;
  // Without one of these after it a bracket closes nothing that could be a link.
  const bool links =
      s.find("](") != s.npos || s.find("][") != s.npos || (begins && s.find("]:") != s.npos);
  const std::size_t number = begins ? list_number(s) : s.npos;
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '*':
      case '_':
      case '`':
      case '|':
      case '\\':
      case '~':
      case '$':
        // straQ* and run_names would else begin emphasis; $…$ is mathematics at GitHub.
        out += std::string("\\") + c;
        break;
      case '[':
      case ']':
        out += links ? std::string("\\") + c : std::string(1, c);
        break;
      case '!':
        out += i + 1 < s.size() && s[i + 1] == '[' ? "\\!" : "!";
        break;
      case ':':
        // http://… and its like become links by themselves.
        out += follows(i, "://") ? "\\:" : ":";
        break;
      default:
        if (i == number || (i == 0 && begins && begins_block(s))) out += '\\';
        out += c;
        if ((c == 'w' || c == 'W') && i >= 2 && i + 1 < s.size() && s[i + 1] == '.' &&
            (s[i - 1] | 0x20) == 'w' && (s[i - 2] | 0x20) == 'w') {
          out += "\\.";
          ++i;
        }
    }
  }
  return out;
}

std::string markdown_of(const Table& table, const DecorateCell& decorate) {
  const auto& columns = table.columns;
  const auto inline_text = [](const std::string& text) {
    return escape_markdown(text, MarkdownPlace::within);
  };
  std::string out = table.title.empty() ? "" : "### " + inline_text(table.title) + "\n\n";
  std::string head = "|", rule = "|";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    bool right = false;
    for (const auto& row : table.rows) right = right || row[i].numeric;
    head += " " + inline_text(columns[i]) + " |";
    rule += right ? "---:|" : "---|";
  }
  out += head + "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    out += "|";
    for (const auto& c : row) {
      const std::string escaped = inline_text(c.text);
      out += " " + (decorate ? decorate(c, escaped) : escaped) + " |";
    }
    out += "\n";
  }
  if (!table.notes.empty()) out += "\n";
  for (const auto& note : table.notes) out += "*" + inline_text(note) + "*\n\n";
  return out;
}

}  // namespace straq
