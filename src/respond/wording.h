// Pieces of wording in YAML files: texts with {placeholders}, checked when they are read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"
#include "prompt/template.h"

namespace straq::respond {

// A text without the line ends and blanks that a YAML block ends with.
std::string without_line_end(std::string text);

// Reads a piece that must be there. Throws Error(input) naming file, line and key for an empty one,
// a placeholder that is none of `known` and one of `needed` that it lacks.
void piece(config::Fields& f, const std::string& key, std::string& text,
           const std::vector<std::string_view>& known = {},
           const std::vector<std::string_view>& needed = {});
// The same for a piece that may be absent or empty.
void optional_piece(config::Fields& f, const std::string& key, std::string& text,
                    const std::vector<std::string_view>& known = {});

}  // namespace straq::respond
