// The fields of a JSON record, listed once. A struct names them in `void fields(JsonFields& f)`;
// the same list reads an object that a file held, with errors that name file, line and key and the
// command that writes such a file, and writes it, in the order of the list.
//
//   struct TimingsRow {
//     std::int64_t step = 0;
//     std::optional<double> plan;
//     void fields(JsonFields& f) {
//       f("step", step);
//       f("plan", plan);  // absent where there is none
//     }
//   };
//   auto row = read_json<TimingsRow>(object, {"timings.jsonl:7", "…"});
//   auto line = dump_json(write_json(row));
//
// Keys that a list does not name are ignored: files may come from a newer or a foreign program.
#pragma once

#include <concepts>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/json/json_number.h"

namespace straq {

// Where an object stands, and how one comes to a good one: what an error about it says.
struct JsonPlace {
  std::string file;  // "evaluation.json", "timings.jsonl:7"
  std::string hint;  // "write the file anew with `straq evaluate`"
  std::string path;  // inside of the file: "splits.test"

  JsonPlace(std::string file, std::string hint = {})  // NOLINT: implicit on purpose
      : file(std::move(file)), hint(std::move(hint)) {}
  JsonPlace(const char* file) : file(file) {}  // NOLINT
  JsonPlace below(const std::string& key) const;
  std::string text() const { return path.empty() ? file : file + ": " + path; }
  // Throws Error(input) about this place.
  [[noreturn]] void fail(const std::string& message) const;
};

// "write the file anew with `straq evaluate`"; without a command, where docs/formats.md is.
std::string written_by(const std::string& command);

// A whole file as one value. Throws Error(input) with file and line for what is no JSON.
nlohmann::ordered_json read_json_of(const std::string& path, const std::string& hint);

// More strategies than any set has: counts take memory by the square of their number, and the
// number comes from a file.
inline constexpr std::size_t kMostStrategies = 256;

class JsonFields {
 public:
  using Json = nlohmann::ordered_json;

  // Reads strictly; `object` is kept by reference. Throws Error(input) where it is no object.
  JsonFields(const Json& object, JsonPlace place);
  // Reads what is there: a key that is missing or of another type leaves its field as it is.
  static JsonFields skimmer(const Json& object);
  static JsonFields writer() { return JsonFields(); }

  bool reading() const { return mode_ != Mode::write; }
  bool writing() const { return mode_ == Mode::write; }
  Json written() && { return std::move(out_); }
  const JsonPlace& place() const { return place_; }
  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

  // When reading: the key is there and not null.
  bool has(const std::string& key) const;
  // When reading: the key is there, though it may be null.
  bool named(const std::string& key) const { return find(key, /*needed=*/false) != nullptr; }
  // When reading: what is there; it is an error when nothing is.
  const Json& at(const std::string& key) const;

  // A key that must be there. Whole numbers may be written 4 or 4.0; 4.5, true and what the type
  // does not hold are refused. Numbers that are not finite are written as null.
  template <class T>
  void operator()(const std::string& key, T& value) {
    if (writing()) {
      out_[key] = json_of(value);
    } else if (const Json* found = find(key, mode_ == Mode::read)) {
      take(key, *found, value);
    }
  }
  // A key that may be absent or null: nothing then, and nothing is not written.
  template <class T>
  void operator()(const std::string& key, std::optional<T>& value) {
    if (writing()) {
      if (value) out_[key] = json_of(*value);
    } else if (has(key)) {
      T x{};
      if (take(key, object_->at(key), x)) value = std::move(x);
    }
  }
  // The same, and nothing is written as null.
  template <class T>
  void or_null(const std::string& key, std::optional<T>& value) {
    if (writing() && !value) {
      out_[key] = nullptr;
    } else {
      (*this)(key, value);
    }
  }
  // A key that may be absent or null: the field stays as it is then, and what equals `T{}` is not
  // written.
  template <class T>
  void unless_default(const std::string& key, T& value) {
    if (reading() ? has(key) : !(value == T{})) (*this)(key, value);
  }
  // The same, but it is always written.
  template <class T>
  void maybe(const std::string& key, T& value) {
    if (writing() || has(key)) (*this)(key, value);
  }
  // A whole number from `low` to `high`.
  template <std::integral T>
  void within(const std::string& key, T& value, T low, T high) {
    (*this)(key, value);
    if (mode_ != Mode::read || (value >= low && value <= high)) return;
    fail(key, "is " + std::to_string(value) + ", expected " + std::to_string(low) + " to " +
                  std::to_string(high));
  }
  // How many of something, kept as a number of any size and written as a whole one.
  void count(const std::string& key, std::optional<double>& value);
  // Numbers of which some may be null: NaN.
  void numbers_or_null(const std::string& key, std::vector<double>& values);
  // An enumeration by to_word(E).
  template <class E>
  void word(const std::string& key, E& value, std::initializer_list<E> known) {
    if (writing()) {
      out_[key] = to_word(value);
      return;
    }
    std::string word, expected;
    (*this)(key, word);
    for (const E e : known) {
      if (word == to_word(e)) {
        value = e;
        return;
      }
      expected += (expected.empty() ? "" : ", ") + to_word(e);
    }
    fail(key, "is \"" + word + "\", expected one of: " + expected);
  }
  // The number of the format, as the first field: another one is refused. `otherwise` says what to
  // do about it. Formats from `oldest` on are read too, where it is given.
  void format(int number, const std::string& otherwise, bool needed = true, int oldest = 0);
  // When reading: the file says a format before this one. Holds for the records inside, too; a
  // record whose file says no format is as this program writes it.
  bool before(int number) const { return reading() && format_ && *format_ < number; }
  // What a list cannot say: as it is, in its place.
  void put(const std::string& key, Json value) { out_[key] = std::move(value); }
  void put_all(const Json& object);

  // Reading only.
  template <class T>
  void get(const std::string& key, T& out) const {
    take(key, at(key), out);
  }
  // A list of exactly `size` items.
  template <class T>
  void get(const std::string& key, std::vector<T>& out, std::size_t size) const {
    get(key, out);
    if (out.size() != size) fail(key, "must have " + std::to_string(size) + " items");
  }
  // A list that has as many items as another field of the record.
  template <class T>
  void operator()(const std::string& key, std::vector<T>& value, std::size_t size) {
    (*this)(key, value);
    if (mode_ == Mode::read && value.size() != size) {
      fail(key, "must have " + std::to_string(size) + " items");
    }
  }

 private:
  enum class Mode { read, skim, write };
  template <class T>
  static constexpr bool is_record = requires(T t, JsonFields& f) {
    t.fields(f);
  };

  JsonFields() = default;  // writes

  const Json* find(const std::string& key, bool needed) const;
  // Of a value that is not what the field wants: throws, or false where that is passed over.
  bool wrong(const std::string& key, const char* wanted) const;

  bool take(const std::string& key, const Json& value, bool& out) const;
  bool take(const std::string& key, const Json& value, std::string& out) const;
  bool take(const std::string& key, const Json& value, double& out) const;
  bool take(const std::string& key, const Json& value, std::int64_t& out) const;
  bool take(const std::string& key, const Json& value, std::uint64_t& out) const;  // seeds
  bool take(const std::string&, const Json& value, Json& out) const {
    out = value;
    return true;
  }
  template <std::integral T>
  bool take(const std::string& key, const Json& value, T& out) const {
    std::int64_t x = 0;
    if (!take(key, value, x)) return false;
    if (!std::in_range<T>(x)) return wrong(key, kWhole);
    out = static_cast<T>(x);
    return true;
  }
  template <class T>
  bool take(const std::string& key, const Json& value, std::vector<T>& out) const {
    if (!value.is_array()) return wrong(key, "a list");
    out.clear();
    out.reserve(value.size());
    for (const auto& item : value) {
      T x{};
      if (!take(key, item, x)) return false;
      out.push_back(std::move(x));
    }
    return true;
  }
  // An object by its keys, in their order.
  template <class T>
  bool take(const std::string& key, const Json& value,
            std::vector<std::pair<std::string, T>>& out) const {
    if (!value.is_object()) return wrong(key, "an object");
    const JsonFields inside(value, place_.below(key), mode_, format_);
    out.clear();
    for (const auto& [name, item] : value.items()) {
      T x{};
      if (!inside.take(name, item, x)) return false;
      out.emplace_back(name, std::move(x));
    }
    return true;
  }
  template <class T>
  requires is_record<T>
  bool take(const std::string& key, const Json& value, T& out) const {
    if (mode_ == Mode::skim && !value.is_object()) return false;
    JsonFields inside(value, place_.below(key), mode_, format_);
    out.fields(inside);
    return true;
  }

  JsonFields(const Json& object, JsonPlace place, Mode mode, std::optional<int> format);

  template <class T>
  static Json json_of(const T& value) {
    if constexpr (is_record<T>) {
      JsonFields inside = writer();
      const_cast<T&>(value).fields(inside);  // writing reads only
      return std::move(inside).written();
    } else {
      return Json(value);
    }
  }
  template <class T>
  requires is_record<T>
  static Json json_of(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& x : values) list.push_back(json_of(x));
    return list;
  }
  template <class T>
  static Json json_of(const std::vector<std::pair<std::string, T>>& values) {
    Json object = Json::object();
    for (const auto& [name, x] : values) object[name] = json_of(x);
    return object;
  }

  static constexpr const char* kWhole = "a whole number that is not too large";
  Mode mode_ = Mode::write;
  std::optional<int> format_;  // what the file says, when reading
  const Json* object_ = nullptr;
  JsonPlace place_{""};
  Json out_ = Json::object();
};

// A record read from an object. Throws Error(input) naming place and key.
template <class T>
T read_json(const nlohmann::ordered_json& object, const JsonPlace& place) {
  T out{};
  JsonFields f(object, place);
  out.fields(f);
  return out;
}

template <class T>
nlohmann::ordered_json write_json(const T& record) {
  JsonFields f = JsonFields::writer();
  const_cast<T&>(record).fields(f);  // writing reads only
  return std::move(f).written();
}

}  // namespace straq
