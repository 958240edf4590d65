// Words of a choice outside a config's section: for a command's option, a file's name, a message.
// Each list of words stands once, beside its enum, and fields() reads by it too.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"
#include "core/error.h"

namespace straq::config {

template <class E>
std::vector<std::string> words_of(std::initializer_list<Choice<E>> choices) {
  std::vector<std::string> out;
  for (const auto& c : choices) out.emplace_back(c.name);
  return out;
}

// "?" for a value that the list does not have.
template <class E>
const char* word_of(std::initializer_list<Choice<E>> choices, E value) {
  for (const auto& c : choices) {
    if (c.value == value) return c.name;
  }
  return "?";
}

// Throws Error(input) naming the words there are for another one.
template <class E>
E value_of(std::initializer_list<Choice<E>> choices, std::string_view word) {
  std::string known;
  for (const auto& c : choices) {
    if (word == c.name) return c.value;
    known += (known.empty() ? "" : ", ") + std::string(c.name);
  }
  fail_input("\"" + std::string(word) + "\" is not known here", "choose one of: " + known);
}

}  // namespace straq::config
