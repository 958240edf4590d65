// The few Unicode properties that split patterns ask for: letter (\p{L}), number (\p{N}),
// white space (\s). The tables are our own, of the Unicode version of the reference tokenizers
// (16.0), so that ids do not depend on which library versions a cluster happens to have.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/utf8.h"

namespace straq::text {

enum class CharClass : std::uint8_t {
  other,    // neither of the below: [^\s\p{L}\p{N}]
  letter,   // \p{L}
  number,   // \p{N}
  space,    // \s but for the two below
  newline,  // \r and \n, which are \s too
};

inline bool is_space(CharClass c) {
  return c == CharClass::space || c == CharClass::newline;
}

// The class of every code point, 0x110000 entries; built at the first call.
const CharClass* char_classes();

// Throws Error(input) naming the byte and its offset unless `text` is valid UTF-8.
void require_utf8(std::string_view text);

}  // namespace straq::text
