// The alphabet in which GPT-2 and Hugging Face files write bytes: each byte is one printable
// character, so that any token can stand in JSON and in merge lists separated by blanks. Bytes that
// print in Latin-1 stand for themselves, the other 68 take U+0100 and on, in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace straq::text {

// Bytes in that alphabet, as UTF-8.
std::string to_byte_alphabet(std::string_view bytes);
// The bytes of such a string (valid UTF-8); empty when a character is not of the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace straq::text
