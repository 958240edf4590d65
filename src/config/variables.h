// Environment variables in config values: ${NAME} and ${NAME:-default}. They are replaced once,
// when a config is read, so that whatever is stored or sent holds the result.
#pragma once

#include <string>

#include "config/value.h"

namespace straq::config {

// Replaces ${NAME} by the environment variable, ${NAME:-default} by the default where it is unset
// or empty (defaults may hold variables themselves); $${ is a plain ${. What a variable holds is
// not looked into again. Throws Error(input), naming `where`, for an unset variable without a
// default, for a name that no variable can have and for a brace that is not closed.
std::string expand_variables(const std::string& text, const std::string& where);

// The same in every scalar of a tree; errors name file, line and key.
void expand_variables(Value& tree, const std::string& path = {});

}  // namespace straq::config
