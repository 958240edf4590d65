// UTF-8 for readers and the word tokenizer: where a text is broken, code points and back, and what
// counts as white space. Corpora are checked once when they are read, so that a wrong encoding is
// an error with a line rather than a surprise in a tokenizer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace straq::dialogue {

// Byte offset of the first ill-formed sequence (overlong forms, surrogates and values above
// U+10FFFF included); none when the text is valid.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// Code points; every byte that belongs to no valid sequence becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

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
