#include "core/json/json_fields.h"

#include <cstdlib>

#include "core/files/text_file.h"
#include "core/json/json.h"

namespace straq {

nlohmann::ordered_json read_json_of(const std::string& path, const std::string& hint) {
  const std::string text = read_text_file(path);
  nlohmann::ordered_json json;
  const std::string reason = try_parse_json(text, json);
  if (reason.empty()) return json;
  // The parser says where: "… at line 2, column 1: …".
  const std::size_t at = reason.find("at line ");
  const long line = at == std::string::npos ? 1 : std::strtol(reason.c_str() + at + 8, nullptr, 10);
  fail_input(at_line(path, line, "this is not valid JSON: " + reason), hint);
}

}  // namespace straq
