// A file of JSON records, told by what it holds and not by its name: one object a line, or one
// list of objects. Records are cut from the text before any is parsed, so that every message has a
// line and one bad record does not hide the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/text_stream.h"

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
  long line = 0;             // where it begins, from 1
  std::size_t index = 0;     // from 0
  bool ended = true;         // false: a last line without its line end
  std::uint64_t offset = 0;  // where it begins, TextStream::offset()
};

// The records of a text, one after the other: what is in memory is one record and what was read of
// the next ones.
class JsonRecordStream {
 public:
  // `form` is lines or list; `of` is what messages call a record. `text` outlives the stream.
  JsonRecordStream(TextStream& text, JsonForm form, std::string of = "record");
  // The next record, whose text is valid until the next call (of a text in memory: as long as
  // that); nothing at the end, and where the rest cannot be cut. Lines that are blank are no
  // records; whether a part of a list is JSON is not looked at.
  std::optional<JsonRecord> next();
  // Why the rest cannot be cut; empty where the text has ended.
  const std::string& reason() const { return reason_; }
  const std::string& hint() const { return hint_; }
  long line() const { return line_; }

 private:
  std::optional<JsonRecord> next_line();
  std::optional<JsonRecord> next_part();
  bool open_list();
  void skip_blank();
  std::optional<JsonRecord> stop(long line, std::string reason, std::string hint);

  TextStream& text_;
  LineStream lines_;
  JsonForm form_;
  std::string of_;
  std::size_t taken_ = 0;  // of the window, by the record that was handed out last
  std::size_t index_ = 0;
  bool opened_ = false, ended_ = false;
  std::string reason_, hint_;
  long line_ = 0;
};

struct JsonRecords {
  std::vector<JsonRecord> records;
  // Why the text is no such list; empty: it is one. `records` holds what was cut before.
  std::string reason, hint;
  long line = 0;
};

// All records of a text at once: the lines that are not blank, and the parts of a list.
std::vector<JsonRecord> cut_json_lines(std::string_view text);
JsonRecords cut_json_list(std::string_view text, const std::string& of = "record");

}  // namespace straq
