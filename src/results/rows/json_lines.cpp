#include "results/rows/json_lines.h"

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_records.h"

namespace straq::results {

void for_each_row(const std::string& path, const std::string& hint,
                  const std::function<void(JsonFields&)>& take) {
  const std::string text = read_text_file(path);
  const JsonForm form = json_form(text);
  if (form == JsonForm::object || form == JsonForm::list) {
    fail_input(path + ": expected one JSON object a line, found " +
                   (form == JsonForm::list ? "a JSON list" : "an object over many lines"),
               "write each row on a line of its own, for example with jq -c");
  }
  for (const JsonRecord& record : cut_json_lines(text)) {
    const JsonPlace place(path + ":" + std::to_string(record.line), hint);
    nlohmann::ordered_json object;
    const std::string reason = try_parse_json(record.text, object);
    // A line that lacks its end and is an object is whole: editors leave files so.
    if (!reason.empty() && !record.ended) place.fail("the last line is half-written");
    if (!object.is_object()) {
      place.fail("this is no JSON object" + (reason.empty() ? "" : ": " + reason));
    }
    JsonFields fields(object, place);
    take(fields);
  }
}

void write_lines(const std::string& path, const std::vector<nlohmann::ordered_json>& rows) {
  std::string out;
  for (const auto& row : rows) out += dump_json(row) + "\n";
  write_file_atomic(path, out);
}

}  // namespace straq::results
