// Typed structs from config trees and back. A struct lists its keys once, in a member
// `void fields(config::Fields& f)`; the same list reads a file (strictly: an unknown key is an
// error that names the nearest known one), writes the resolved config and prints the known keys.
//
//   struct TargetConfig {
//     int every = 10;
//     double polyak = 1.0;
//     void fields(config::Fields& f) {
//       f("every", every, config::at_least(0));
//       f("polyak", polyak, config::between(0, 1));
//     }
//   };
//   auto target = config::read<TargetConfig>(config::load_config("a.yaml"));
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/value.h"

namespace straq::config {

// A limit on a number, with the words that an error uses for it.
struct Limit {
  std::function<bool(double)> holds;
  std::string words;
};
Limit at_least(double low);
Limit above(double low);
Limit between(double low, double high);   // both included
Limit above_to(double low, double high);  // the upper one included

// One accepted word of a choice. `built = false` marks a word of the documented vocabulary that
// this version does not build: choosing it is refused with that reason rather than as a typo.
template <class E>
struct Choice {
  const char* name;
  E value;
  bool built = true;
};

class Fields {
 public:
  enum class Mode { read, dump };

  // Reads from `source` (kept by reference); `path` is the prefix for messages ("learn.").
  static Fields reader(const Value& source, std::string path = {});
  static Fields dumper();

  bool reading() const { return mode_ == Mode::read; }

  template <class T>
  void operator()(const std::string& key, T& value, const std::optional<Limit>& limit = {}) {
    if (mode_ == Mode::dump) {
      dump_value(key, value);
      return;
    }
    if (const Value* v = take(key)) read_value(*v, path_ + key, value, limit);
  }

  // As above, and it is an error when the key is missing.
  template <class T>
  void required(const std::string& key, T& value, const std::optional<Limit>& limit = {}) {
    if (mode_ == Mode::read && source_->find(key) == nullptr) fail_missing(key);
    (*this)(key, value, limit);
  }

  // An enumeration by name.
  template <class E>
  void choice(const std::string& key, E& value, std::initializer_list<Choice<E>> choices) {
    if (mode_ == Mode::dump) {
      for (const auto& c : choices) {
        if (c.value == value) dump_.set(key, Value::make_scalar(c.name));
      }
      return;
    }
    const Value* v = take(key);
    if (v == nullptr) return;
    std::vector<std::pair<std::string, bool>> names;
    for (const auto& c : choices) names.emplace_back(c.name, c.built);
    value = (choices.begin() + pick(*v, path_ + key, names))->value;
  }

  // One of some names that are known at run time only; false marks one that is not built, as in
  // Choice.
  void word(const std::string& key, std::string& value,
            const std::vector<std::pair<std::string, bool>>& names);

  // Any tree, unread (sweep grids). Missing keys leave `value` as it is.
  void raw(const std::string& key, Value& value);

  // In read mode: throws Error(input) for the first key that nobody asked for.
  void finish() const;
  Value dumped() const { return dump_; }
  // The place of a key, for errors found later ("configs/a.yaml:7: learn.batch").
  std::string where(const std::string& key) const;

 private:
  const Value* take(const std::string& key);
  [[noreturn]] void fail_missing(const std::string& key) const;
  // With a hint where the value is a near miss: yes for true, 1_000 for 1000.
  [[noreturn]] static void fail_type(const Value& v, const std::string& path, const char* expected);
  // `--set learn=null`: a section cannot be set to nothing, and its defaults are not meant
  // silently.
  static void refuse_no_value(const Value& v, const std::string& path);
  static std::size_t pick(const Value& v, const std::string& path,
                          const std::vector<std::pair<std::string, bool>>& names);
  static void check(const Value& v, const std::string& path, double x,
                    const std::optional<Limit>& limit);

  static void read_value(const Value& v, const std::string& path, bool& out,
                         const std::optional<Limit>& limit);
  static void read_value(const Value& v, const std::string& path, std::string& out,
                         const std::optional<Limit>& limit);
  static void read_value(const Value& v, const std::string& path, double& out,
                         const std::optional<Limit>& limit);
  static void read_integer(const Value& v, const std::string& path, std::int64_t& out,
                           std::int64_t low, std::int64_t high);

  template <std::integral T>
  requires(!std::same_as<T, bool>) static void read_value(const Value& v, const std::string& path,
                                                          T& out,
                                                          const std::optional<Limit>& limit) {
    std::int64_t x = 0;
    const auto high = std::numeric_limits<T>::max();
    read_integer(v, path, x, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                 std::cmp_greater(high, INT64_MAX) ? INT64_MAX : static_cast<std::int64_t>(high));
    check(v, path, static_cast<double>(x), limit);
    out = static_cast<T>(x);
  }
  template <class T>
  static void read_value(const Value& v, const std::string& path, std::optional<T>& out,
                         const std::optional<Limit>& limit) {
    if (v.kind == Value::Kind::null || !v.nulled.empty() ||
        (v.kind == Value::Kind::scalar && !v.quoted && v.scalar == "null")) {
      out.reset();
      return;
    }
    T x{};
    read_value(v, path, x, limit);
    out = std::move(x);
  }
  template <class T>
  static void read_value(const Value& v, const std::string& path, std::vector<T>& out,
                         const std::optional<Limit>& limit) {
    if (v.kind != Value::Kind::list) fail_type(v, path, "a list");
    out.clear();
    for (std::size_t i = 0; i < v.list.size(); ++i) {
      T x{};
      read_value(v.list[i], path + "[" + std::to_string(i) + "]", x, limit);
      out.push_back(std::move(x));
    }
  }
  template <class T>
  static void read_value(const Value& v, const std::string& path,
                         std::vector<std::pair<std::string, T>>& out,
                         const std::optional<Limit>& limit) {
    if (v.kind != Value::Kind::map) fail_type(v, path, "a map");
    out.clear();
    for (const auto& [k, x] : v.map) {
      T item{};
      read_value(x, path + "." + k, item, limit);
      out.emplace_back(k, std::move(item));
    }
  }
  template <class T>
  requires requires(T t, Fields f) { t.fields(f); }
  static void read_value(const Value& v, const std::string& path, T& out,
                         const std::optional<Limit>&) {
    if (v.kind != Value::Kind::map && v.kind != Value::Kind::null) {
      fail_type(v, path, "a map of keys");
    }
    refuse_no_value(v, path);
    Fields f = reader(v, path + ".");
    out.fields(f);
    f.finish();
  }

  static Value to_value(bool x) { return Value::make_scalar(x ? "true" : "false"); }
  static Value to_value(const std::string& x);
  static Value to_value(double x);
  template <std::integral T>
  requires(!std::same_as<T, bool>) static Value to_value(T x) {
    return Value::make_scalar(std::to_string(x));
  }
  template <class T>
  static Value to_value(const std::optional<T>& x) {
    return x ? to_value(*x) : Value{};
  }
  template <class T>
  static Value to_value(const std::vector<T>& xs) {
    Value v = Value::make_list();
    for (const auto& x : xs) v.list.push_back(to_value(x));
    return v;
  }
  template <class T>
  static Value to_value(const std::vector<std::pair<std::string, T>>& xs) {
    Value v = Value::make_map();
    for (const auto& [k, x] : xs) v.set(k, to_value(x));
    return v;
  }
  template <class T>
  requires requires(T t, Fields f) { t.fields(f); }
  static Value to_value(const T& x) {
    Fields f = dumper();
    const_cast<T&>(x).fields(f);  // dumping reads only
    return f.dumped();
  }
  template <class T>
  void dump_value(const std::string& key, const T& x) {
    dump_.set(key, to_value(x));
  }

  Mode mode_ = Mode::read;
  const Value* source_ = nullptr;
  std::string path_;
  std::vector<std::string> known_;
  Value dump_ = Value::make_map();
};

// Reads a struct from a tree; every key must be known. Throws Error(input).
template <class T>
T read(const Value& root) {
  T out{};
  Fields f = Fields::reader(root);
  out.fields(f);
  f.finish();
  return out;
}

// The struct as a tree with every key, defaults included.
template <class T>
Value dump(const T& config) {
  Fields f = Fields::dumper();
  const_cast<T&>(config).fields(f);  // dumping reads only
  return f.dumped();
}

// The word in `known` that is nearest to `word` by edit distance; empty when none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace straq::config
