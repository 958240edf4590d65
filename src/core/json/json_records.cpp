#include "core/json/json_records.h"

#include <algorithm>

#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_scan.h"

namespace straq {
namespace {

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_space(std::string_view s, std::size_t i) {
  while (i < s.size() && is_json_space(s[i])) ++i;
  return i;
}

// The offset behind the bracket that closes the one at the start; npos where none does.
std::size_t end_of_value(std::string_view s) {
  std::size_t end = s.npos;
  scan_json_brackets(s, [&](std::size_t i, int depth) {
    if (depth == 0) end = i + 1;
    return depth != 0;
  });
  return end;
}

long line_at(std::string_view s, std::size_t offset) {
  const char end = s.find('\n') == s.npos ? '\r' : '\n';
  return 1 + std::count(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(offset), end);
}

}  // namespace

const char* const kJsonObjectMessage =
    "a JSON object is printed over many lines here; records are read one a line, or as one list "
    "in [ ]";

JsonForm json_form(std::string_view text) {
  const std::size_t start = skip_space(text, 0);
  if (start == text.size()) return JsonForm::none;
  if (text[start] == '[') return JsonForm::list;
  if (text[start] != '{') return JsonForm::none;
  const auto lines = lines_of(text.substr(start));
  if (lines.size() < 2 || end_of_value(lines[0].text) != std::string_view::npos) {
    return JsonForm::lines;
  }
  // The first line closes nothing. Either the object goes on over the next lines, or that line is
  // broken and the others are records of their own.
  const std::string_view rest = text.substr(start);
  nlohmann::json whole;
  if (const std::size_t end = end_of_value(rest);
      end != rest.npos && try_parse_json(rest.substr(0, end), whole).empty()) {
    return JsonForm::object;
  }
  for (const TextLine& line : lines) {
    nlohmann::json value;
    if (line.text.empty() || line.text[0] != '{') continue;
    if (line.text.size() > 2 && try_parse_json(line.text, value).empty()) return JsonForm::lines;
  }
  // Cut off or broken: printed over lines if what follows the first line is no try at a record.
  const bool goes_on = std::any_of(lines.begin() + 1, lines.end(),
                                   [](const TextLine& line) { return !is_blank_line(line.text); });
  const bool broken = std::any_of(lines.begin() + 1, lines.end(), [](const TextLine& line) {
    return line.text.size() > 1 && line.text[0] == '{';
  });
  return goes_on && !broken ? JsonForm::object : JsonForm::lines;
}

std::vector<JsonRecord> cut_json_lines(std::string_view text) {
  std::vector<JsonRecord> out;
  for (const TextLine& line : lines_of(text)) {
    if (is_blank_line(line.text)) continue;
    out.push_back({line.text, line.number, out.size(), line.ended});
  }
  return out;
}

JsonRecords cut_json_list(std::string_view s, const std::string& of) {
  JsonRecords out;
  std::size_t i = skip_space(s, 0);
  const auto refuse = [&](long line, std::string reason, std::string hint) {
    out.line = line;
    out.reason = std::move(reason);
    out.hint = std::move(hint);
    return out;
  };
  if (i == s.size() || s[i] != '[') {
    return refuse(line_at(s, i), "expected a JSON list of " + of + "s", "");
  }
  ++i;
  const char end_of_line = s.find('\n') == s.npos ? '\r' : '\n';
  long line = line_at(s, i);
  std::size_t counted = i;  // line numbers are counted once, from record to record
  if (const std::size_t first = skip_space(s, i); first < s.size() && s[first] == ']') {
    i = first + 1;
  } else {
    for (;;) {
      i = skip_space(s, i);
      line += std::count(s.begin() + static_cast<std::ptrdiff_t>(counted),
                         s.begin() + static_cast<std::ptrdiff_t>(i), end_of_line);
      counted = i;
      const std::size_t start = i;
      int depth = 0;
      bool in_string = false;
      for (; i < s.size(); ++i) {
        const char c = s[i];
        if (in_string) {
          if (c == '\\') {
            ++i;
          } else if (c == '"') {
            in_string = false;
          }
        } else if (c == '"') {
          in_string = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if (depth == 0 && (c == ',' || c == ']')) {
          break;
        } else if (c == '}' || c == ']') {
          --depth;
        }
      }
      if (i >= s.size()) {
        return refuse(line,
                      "the list of " + of + "s is not closed: the file ends inside " + of + " " +
                          std::to_string(out.records.size()),
                      "is the file truncated? the " + of + " starts at this line");
      }
      out.records.push_back({s.substr(start, i - start), line, out.records.size(), true});
      if (s[i++] == ']') break;
    }
  }
  i = skip_space(s, i);
  if (i < s.size())
    return refuse(line_at(s, i), "text follows the end of the list of " + of + "s", "");
  return out;
}

}  // namespace straq
