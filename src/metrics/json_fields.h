// Reads typed values out of a JSON object that a file held, with errors that name the file and
// the key. Used for evaluation.json, which may come from an older or a foreign program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"

namespace straq::metrics {

class JsonFields {
 public:
  // `where` names the object in messages: the file, then the path inside it.
  JsonFields(const nlohmann::ordered_json& object, std::string where)
      : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail_input(where_ + ": expected a JSON object", hint());
  }

  [[noreturn]] void fail(const std::string& key, const std::string& message) const {
    fail_input(where_ + ": \"" + key + "\" " + message, hint());
  }

  bool has(const std::string& key) const {
    const auto it = object_.find(key);
    return it != object_.end() && !it->is_null();
  }

  const nlohmann::ordered_json& at(const std::string& key) const {
    const auto it = object_.find(key);
    if (it == object_.end()) fail(key, "is missing");
    return *it;
  }

  template <class T>
  void get(const std::string& key, T& out) const {
    try {
      out = at(key).template get<T>();
    } catch (const nlohmann::json::exception&) {
      fail(key, "has the wrong type");
    }
  }

  // A list of exactly `size` items.
  template <class T>
  void get(const std::string& key, std::vector<T>& out, std::size_t size) const {
    get(key, out);
    if (out.size() != size) fail(key, "must have " + std::to_string(size) + " items");
  }

 private:
  static std::string hint() { return "write the file anew with `straq evaluate`"; }
  const nlohmann::ordered_json& object_;
  std::string where_;
};

}  // namespace straq::metrics
