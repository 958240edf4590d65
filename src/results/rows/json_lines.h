// Files of one JSON object a line that are read strictly: a bad line is an error with file and
// line. (What a run still writes is read by results/rows/steps.h, which passes over bad lines.)
#pragma once

#include <functional>
#include <string>

#include "core/json/json_fields.h"

namespace straq::results {

// Calls `take` with each line's object, which then reads its fields. Throws Error(input) with file,
// line and `hint` for a line that is no object, a half-written last line, and a file that is one
// JSON list or an object printed over many lines.
void for_each_row(const std::string& path, const std::string& hint,
                  const std::function<void(JsonFields&)>& take);

// Writes a line a row, the file whole or not at all.
void write_lines(const std::string& path, const std::vector<nlohmann::ordered_json>& rows);

}  // namespace straq::results
