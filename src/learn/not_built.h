// Choices of the documented vocabulary that this version does not build.
#pragma once

#include <string>

namespace straq::learn {

// Throws Error(input) "<where>: <what> are documented but this version does not build them yet".
[[noreturn]] void fail_not_built(const std::string& where, const char* what, const char* hint);

}  // namespace straq::learn
