// Reads typed values out of a JSON object that a file held, with errors that name the file and
// the key. Used for evaluation.json, which may come from an older or a foreign program.
#pragma once

#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json/json_number.h"

namespace straq {

// A whole file as one value. Throws Error(input) with file and line for what is no JSON.
nlohmann::ordered_json read_json_of(const std::string& path, const std::string& hint);

// More strategies than any set has: counts take memory by the square of their number, and the
// number comes from a file.
inline constexpr std::size_t kMostStrategies = 256;

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

  // Whole numbers may be written 4 or 4.0; 4.5, true and what the type does not hold are refused.
  template <class T>
  void get(const std::string& key, T& out) const {
    read(key, at(key), out);
  }

  // A list of exactly `size` items.
  template <class T>
  void get(const std::string& key, std::vector<T>& out, std::size_t size) const {
    get(key, out);
    if (out.size() != size) fail(key, "must have " + std::to_string(size) + " items");
  }

 private:
  using Json = nlohmann::ordered_json;

  template <class T>
  [[noreturn]] void wrong(const std::string& key, const Json& value) const {
    if constexpr (std::integral<T>) {
      if (value.is_number()) fail(key, "must be a whole number that is not too large");
    }
    fail(key, "has the wrong type");
  }
  void read(const std::string& key, const Json& value, bool& out) const {
    if (!value.is_boolean()) wrong<std::string>(key, value);
    out = value.get<bool>();
  }
  void read(const std::string& key, const Json& value, std::string& out) const {
    if (!value.is_string()) wrong<std::string>(key, value);
    out = value.get<std::string>();
  }
  void read(const std::string& key, const Json& value, double& out) const {
    if (!value.is_number()) wrong<double>(key, value);
    out = value.get<double>();
  }
  template <std::integral T>
  void read(const std::string& key, const Json& value, T& out) const {
    if constexpr (std::unsigned_integral<T>) {
      // Seeds have 64 bits.
      if (value.is_number_unsigned()) {
        const auto x = value.get<std::uint64_t>();
        if (!std::in_range<T>(x)) wrong<T>(key, value);
        out = static_cast<T>(x);
        return;
      }
    }
    const auto x = whole_number(value);
    if (!x || !std::in_range<T>(*x)) wrong<T>(key, value);
    out = static_cast<T>(*x);
  }
  template <class T>
  void read(const std::string& key, const Json& value, std::vector<T>& out) const {
    if (!value.is_array()) wrong<std::string>(key, value);
    out.clear();
    for (const auto& item : value) {
      T x{};
      read(key, item, x);
      out.push_back(std::move(x));
    }
  }

  static std::string hint() { return "write the file anew with `straq evaluate`"; }
  const nlohmann::ordered_json& object_;
  std::string where_;
};

}  // namespace straq
