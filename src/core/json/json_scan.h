// JSON text looked at without being parsed: where brackets stand that are not part of a string.
#pragma once

#include <cstddef>
#include <string_view>

namespace straq {

// Calls `visit(offset, depth)` behind every opening and closing bracket outside of strings, with
// the depth of nesting then; stops where it returns false. A scan, no recursion.
template <class Visit>
void scan_json_brackets(std::string_view text, Visit&& visit) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
      continue;
    }
    if (c == '"') quoted = true;
    const bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (!opens && !closes) continue;
    depth += opens ? 1 : -1;
    if (!visit(i, depth)) return;
  }
}

}  // namespace straq
