#include "core/json/json.h"

#include <exception>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"
#include "core/json/json_scan.h"

namespace straq {
namespace {

// nlohmann's "[json.exception.parse_error.101] parse error at line 1, column 9: …" without what
// names its own classes.
std::string without_tag(const std::string& what) {
  const auto end = what.rfind("[json.exception.", 0) == 0 ? what.find("] ") : std::string::npos;
  return end == std::string::npos ? what : what.substr(end + 2);
}

template <class J>
std::string try_parse(std::string_view text, J& out) {
  // The parser takes a NUL byte for the end of the text, whatever comes behind it.
  if (text.find('\0') != std::string_view::npos) return "malformed JSON: a NUL byte in the text";
  if (!json_depth_within(text)) {
    return "lists and objects are nested more than " + std::to_string(kJsonDepth) + " deep";
  }
  try {
    out = J::parse(text.begin(), text.end());
    return {};
  } catch (const nlohmann::json::out_of_range&) {
    return "malformed JSON: a number is beyond what a double can hold";
  } catch (const nlohmann::json::exception& e) {
    if (is_lfs_pointer(text)) return lfs_pointer_words(text);
    return "malformed JSON: " + without_tag(e.what());
  }
}

template <class J>
J parse(std::string_view text, const std::string& where, const std::string& hint) {
  J value;
  const std::string reason = try_parse(text, value);
  if (!reason.empty()) fail_input(where + ": " + reason, is_lfs_pointer(text) ? kLfsHint : hint);
  return value;
}

}  // namespace

bool json_depth_within(std::string_view text, int limit) {
  bool within = true;
  scan_json_brackets(text, [&](std::size_t, int depth) { return within = depth <= limit; });
  return within;
}

std::string try_parse_json(std::string_view text, nlohmann::json& out) {
  return try_parse(text, out);
}
std::string try_parse_json(std::string_view text, nlohmann::ordered_json& out) {
  return try_parse(text, out);
}

nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const std::string& hint) {
  return parse<nlohmann::json>(text, where, hint);
}
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          const std::string& hint) {
  return parse<nlohmann::ordered_json>(text, where, hint);
}

nlohmann::json read_json_file(const std::string& path, const std::string& hint) {
  return parse<nlohmann::json>(read_file(path), path, hint);
}
nlohmann::ordered_json read_ordered_json_file(const std::string& path, const std::string& hint) {
  return parse<nlohmann::ordered_json>(read_file(path), path, hint);
}

std::string dump_json(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string dump_json(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace straq
