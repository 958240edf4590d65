#include "core/json/json_records.h"

#include <algorithm>
#include <utility>

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

JsonRecordStream::JsonRecordStream(TextStream& text, JsonForm form, std::string of)
    : text_(text), lines_(text), form_(form), of_(std::move(of)) {}

std::optional<JsonRecord> JsonRecordStream::stop(long line, std::string reason, std::string hint) {
  ended_ = true;
  // A text that is none from here on has its own words for it.
  if (text_.fault() == nullptr) {
    line_ = line;
    reason_ = std::move(reason);
    hint_ = std::move(hint);
  }
  return std::nullopt;
}

void JsonRecordStream::skip_blank() {
  do {
    text_.drop(skip_space(text_.window(), 0));
  } while (text_.window().empty() && text_.more());
}

std::optional<JsonRecord> JsonRecordStream::next() {
  if (ended_) return std::nullopt;
  if (form_ != JsonForm::list) return next_line();
  text_.drop(std::exchange(taken_, 0));
  return next_part();
}

std::optional<JsonRecord> JsonRecordStream::next_line() {
  while (const auto line = lines_.next()) {
    if (is_blank_line(line->text)) continue;
    return JsonRecord{line->text, line->number, index_++, line->ended, line->offset};
  }
  ended_ = true;
  return std::nullopt;
}

// Takes the list's bracket; false where there is none, or nothing in it.
bool JsonRecordStream::open_list() {
  opened_ = true;
  skip_blank();
  if (text_.window().empty() || text_.window()[0] != '[') {
    stop(text_.line(), "expected a JSON list of " + of_ + "s", "");
    return false;
  }
  text_.drop(1);
  text_.line_end();
  skip_blank();
  if (text_.window().empty() || text_.window()[0] != ']') return true;
  text_.drop(1);
  return false;
}

std::optional<JsonRecord> JsonRecordStream::next_part() {
  const bool first = !opened_;
  bool goes_on = first ? open_list() : true;
  if (ended_) return std::nullopt;
  if (!first) {  // behind a part: what parts it from the next one, or the list's end
    goes_on = text_.window()[0] == ',';
    text_.drop(1);
  }
  skip_blank();
  if (!goes_on) {
    if (text_.window().empty()) return stop(0, "", "");
    return stop(text_.line(), "text follows the end of the list of " + of_ + "s", "");
  }
  int depth = 0;
  bool in_string = false;
  std::string_view there = text_.window();
  for (std::size_t i = 0;; ++i) {
    while (i >= there.size()) {
      if (!text_.more()) {
        return stop(text_.line(),
                    "the list of " + of_ + "s is not closed: the file ends inside " + of_ + " " +
                        std::to_string(index_),
                    "is the file truncated? the " + of_ + " starts at this line");
      }
      there = text_.window();
    }
    const char c = there[i];
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
      taken_ = i;
      return JsonRecord{text_.window().substr(0, i), text_.line(), index_++, true, text_.offset()};
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

std::vector<JsonRecord> cut_json_lines(std::string_view text) {
  TextStream stream = TextStream::of_decoded(text);
  JsonRecordStream records(stream, JsonForm::lines);
  std::vector<JsonRecord> out;
  while (const auto record = records.next()) out.push_back(*record);
  return out;
}

JsonRecords cut_json_list(std::string_view text, const std::string& of) {
  TextStream stream = TextStream::of_decoded(text);
  JsonRecordStream records(stream, JsonForm::list, of);
  JsonRecords out;
  while (const auto record = records.next()) out.records.push_back(*record);
  out.reason = records.reason();
  out.hint = records.hint();
  out.line = records.line();
  return out;
}

}  // namespace straq
