// What a tokenizer.json does to text before it is cut: Hugging Face's normalizers, those that
// byte-pair models of the Llama kind come with. NFC and NFD are by the Unicode version that the
// reference normalizes by, with our own tables, so that ids do not depend on a library.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace straq::text {

std::string to_nfd(std::string_view text);  // of valid UTF-8
std::string to_nfc(std::string_view text);

class Normalizer {
 public:
  void add_prepend(std::string text);                       // before text that is not empty
  void add_replace(std::string text, std::string content);  // every place, from left to right
  void add_nfc();
  void add_nfd();
  bool empty() const { return steps_.empty(); }

  std::string apply(std::string_view text) const;

 private:
  enum class Kind { prepend, replace, nfc, nfd };
  struct Step {
    Kind kind;
    std::string text, content;
  };
  std::vector<Step> steps_;
};

}  // namespace straq::text
