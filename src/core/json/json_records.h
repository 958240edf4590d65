// A file of JSON records, told by what it holds and not by its name: one object a line, or one
// list of objects. Records are cut from the text before any is parsed, so that every message has a
// line and one bad record does not hide the others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace straq {

enum class JsonForm {
  none,    // the text begins like no JSON list and no JSON object
  lines,   // one object a line
  list,    // one list
  object,  // one object, or several, printed over many lines: no form that is read
};

// Looks at the first characters, and for an object at how its lines go on. A text that begins with
// "{" or "[" and is prose is for the caller to tell.
JsonForm json_form(std::string_view text);

// What to say of JsonForm::object; the same words for every reader.
extern const char* const kJsonObjectMessage;

struct JsonRecord {
  std::string_view text;
  long line = 0;          // where it begins, from 1
  std::size_t index = 0;  // from 0
  bool ended = true;      // false: a last line without its line end
};

struct JsonRecords {
  std::vector<JsonRecord> records;
  // Why the text is no such list; empty: it is one. `records` holds what was cut before.
  std::string reason, hint;
  long line = 0;
};

// The lines that are not blank.
std::vector<JsonRecord> cut_json_lines(std::string_view text);
// The parts of a list between the commas of its top level. Whether a part is JSON is not looked at.
// `of` is what messages call a part.
JsonRecords cut_json_list(std::string_view text, const std::string& of = "record");

}  // namespace straq
