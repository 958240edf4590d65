// JSON that comes from outside: read with measured depth and words for every way in which it can be
// wrong, written whatever bytes its texts hold. nlohmann's own parse() and dump() recurse on the
// depth of foreign text and throw half a dozen kinds of exceptions; nothing outside this header
// calls them on what a user's file, a server or another program wrote.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace straq {

// Deeper nesting than any format of this program has, and far from what overflows a stack.
constexpr int kJsonDepth = 128;

// Why `text` is no JSON value of at most kJsonDepth nested lists and objects; empty: it is one, and
// `out` holds it. Never throws for anything that the text holds: malformed UTF-8, numbers beyond
// double (said so), a value cut short, text after the value.
std::string try_parse_json(std::string_view text, nlohmann::json& out);
std::string try_parse_json(std::string_view text, nlohmann::ordered_json& out);

// As try_parse_json; throws Error(input) "<where>: <reason>". `where` is a file or "file:line".
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const std::string& hint = {});
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          const std::string& hint = {});

// The whole file as one value; throws what read_file does and Error(input) naming the file.
nlohmann::json read_json_file(const std::string& path, const std::string& hint = {});
nlohmann::ordered_json read_ordered_json_file(const std::string& path,
                                              const std::string& hint = {});

// JSON text; bytes that are no UTF-8 (a path's, a command line's) become U+FFFD instead of an
// exception. `indent` -1: one line.
std::string dump_json(const nlohmann::json& value, int indent = -1);
std::string dump_json(const nlohmann::ordered_json& value, int indent = -1);

// Whether brackets outside of strings nest no deeper than `limit`; a scan, no recursion.
bool json_depth_within(std::string_view text, int limit = kJsonDepth);

}  // namespace straq
