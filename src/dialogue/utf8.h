// What readers and the word tokenizer ask of Unicode beside its encoding: what counts as white
// space, and letters without regard to case.
#pragma once

#include <string>
#include <string_view>

#include "core/utf8.h"

namespace straq::dialogue {

// White space as Unicode (and Python's str.split) has it: no-break and ideographic blanks count,
// zero-width characters do not.
bool is_space(char32_t c);

// Runs of white space become one blank, none is left at the ends.
std::string normalise_space(std::string_view text);

// Lower case of every letter of Unicode that has one, one code point to one.
char32_t to_lower(char32_t c);
// Lower case of a text as Python's str.lower() has it: as above, but for the dotted capital I,
// which becomes two characters, and for a sigma at a word's end.
std::string to_lower(std::string_view text);

// A text for comparison without regard to case, as Python's str.casefold(): ß is ss, and both small
// sigmas are one.
std::string fold_case(std::string_view text);

}  // namespace straq::dialogue
