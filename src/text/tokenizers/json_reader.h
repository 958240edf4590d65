// A JSON file of a tokenizer with the words to complain about it: every access checks the type that
// it needs, so that no file of a foreign shape ends in anything but Error(input) naming it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace straq::text {

// Throws Error(input) when `bytes` are a Git LFS pointer, which stands where the file should be.
void refuse_pointer(const std::string& path, std::string_view bytes);

class JsonReader {
 public:
  using json = nlohmann::json;

  // Reads the file; throws Error(input) unless it is one JSON object. `hint` goes with all errors.
  JsonReader(const std::string& path, std::string hint);
  // The same of text that a part of the file `path` says.
  JsonReader(const std::string& path, std::string hint, std::string bytes);

  const json& root() const { return root_; }
  const std::string& bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  [[noreturn]] void fail(const std::string& what) const;
  // Missing and null are the same in these files. Throws when `object` is none.
  const json* find(const json& object, const char* key) const;
  const json& part(const json& object, const char* key) const;  // throws when it is missing
  const json& list(const json& object, const char* key) const;  // and when it is no list
  std::optional<bool> flag(const json& object, const char* key) const;
  bool flag(const json& object, const char* key, bool otherwise) const {
    return flag(object, key).value_or(otherwise);
  }
  std::string word(const json& object, const char* key) const;  // empty when missing
  // A token's id; `what` names it in errors.
  std::int32_t id(const json& value, const std::string& what) const;

 private:
  std::string path_, hint_, bytes_;
  json root_;
};

}  // namespace straq::text
