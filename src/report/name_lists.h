// Lists of names as sentences say them.
#pragma once

#include <string>
#include <vector>

namespace straq::report {

// "a, b, c"
std::string joined(const std::vector<std::string>& items, const char* between = ", ");

// "a, b, c and 5 more".
std::string listed(const std::vector<std::string>& names, std::size_t most = 12);

// With a capital letter.
std::string sentence_case(std::string text);

}  // namespace straq::report
