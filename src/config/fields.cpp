#include "config/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace straq::config {
namespace {

std::string number(double x) {
  char buffer[32];
  const auto r = std::to_chars(buffer, buffer + sizeof buffer, x);
  return std::string(buffer, r.ptr);
}

// As people write it: 1000000, not 1e+06.
std::string words(double x) {
  const bool whole = x == std::floor(x) && std::abs(x) < 1e15;
  return whole ? std::to_string(static_cast<std::int64_t>(x)) : number(x);
}

const Value& empty_map() {
  static const Value v = Value::make_map();
  return v;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::optional<double> as_number(std::string text) {
  std::erase(text, '_');
  if (!text.empty() && text[0] == '+') text.erase(0, 1);
  const bool hex = text.rfind("0x", 0) == 0 || text.rfind("0X", 0) == 0;
  double x = 0;
  const char* begin = text.data() + (hex ? 2 : 0);
  const char* end = text.data() + text.size();
  const auto r =
      std::from_chars(begin, end, x, hex ? std::chars_format::hex : std::chars_format::general);
  if (begin == end || r.ec != std::errc() || r.ptr != end || !std::isfinite(x)) return {};
  return x;
}

// What the writer of a value of the wrong type probably meant; empty when nothing is near. One
// spelling of everything is read: YAML's many others are told, not guessed.
std::string near_miss(const Value& v, const std::string& expected) {
  if (v.kind == Value::Kind::list && expected == "text") {
    return "put quotes around a text that begins with [";
  }
  if (v.kind == Value::Kind::null && expected == "text") return "an empty text is \"\"";
  if (v.kind != Value::Kind::scalar) return {};
  std::string word = v.scalar;
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!word.empty() && blank(word.back())) word.pop_back();
  while (!word.empty() && blank(word.front())) word.erase(0, 1);
  std::string lower = word;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (expected == "true or false") {
    const bool yes =
        lower == "true" || lower == "yes" || lower == "on" || lower == "y" || lower == "1";
    const bool no =
        lower == "false" || lower == "no" || lower == "off" || lower == "n" || lower == "0";
    if (!yes && !no) return {};
    const std::string right = yes ? "true" : "false";
    return v.quoted && word == right ? "write " + right + " without quotes"
                                     : "write " + right + ", not " + v.scalar;
  }
  const bool whole = expected.rfind("a whole number", 0) == 0;
  if (!whole && expected != "a number") return {};
  if (lower == ".inf" || lower == "-.inf" || lower == "inf" || lower == "-inf" ||
      lower == "infinity" || lower == ".nan" || lower == "nan") {
    return "a setting takes finite numbers";
  }
  const auto x = as_number(lower);
  if (!x || (whole && *x != std::floor(*x))) return {};
  const std::string right =
      whole && std::abs(*x) < 1e15 ? std::to_string(static_cast<std::int64_t>(*x)) : number(*x);
  if (right == v.scalar) return v.quoted ? "write " + right + " without quotes" : "";
  return whole && std::abs(*x) >= 1e15 ? "" : "write " + right + ", not " + v.scalar;
}

}  // namespace

Limit at_least(double low) {
  return {[=](double x) { return x >= low; }, "at least " + words(low)};
}
Limit above(double low) {
  return {[=](double x) { return x > low; }, "above " + words(low)};
}
Limit above_to(double low, double high) {
  return {[=](double x) { return x > low && x <= high; },
          "above " + words(low) + " and at most " + words(high)};
}
Limit between(double low, double high) {
  return {[=](double x) { return x >= low && x <= high; },
          "between " + words(low) + " and " + words(high)};
}

Fields Fields::reader(const Value& source, std::string path) {
  Fields f;
  f.mode_ = Mode::read;
  f.path_ = std::move(path);
  if (source.kind == Value::Kind::map) {
    f.source_ = &source;
  } else if (source.kind == Value::Kind::null) {
    f.source_ = &empty_map();
  } else {
    fail_type(source, f.path_.empty() ? "config" : f.path_, "a map of keys");
  }
  return f;
}

Fields Fields::dumper() {
  Fields f;
  f.mode_ = Mode::dump;
  return f;
}

const Value* Fields::take(const std::string& key) {
  // Two readers of one section may know the same key.
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return source_->find(key);
}

void Fields::raw(const std::string& key, Value& value) {
  if (mode_ == Mode::dump) {
    dump_.set(key, value);
  } else if (const Value* v = take(key)) {
    value = *v;
  }
}

void Fields::word(const std::string& key, std::string& value,
                  const std::vector<std::pair<std::string, bool>>& names) {
  if (mode_ == Mode::dump) {
    dump_.set(key, to_value(value));
  } else if (const Value* v = take(key)) {
    value = names[pick(*v, path_ + key, names)].first;
  }
}

std::string Fields::where(const std::string& key) const {
  const Value* v = mode_ == Mode::read ? source_ : nullptr;
  for (std::size_t at = 0; v != nullptr && at <= key.size();) {
    const std::size_t end = std::min(key.find('.', at), key.size());
    v = v->find(key.substr(at, end - at));
    at = end + 1;
  }
  return (v ? v->where() + ": " : std::string()) + path_ + key;
}

void Fields::finish() const {
  if (mode_ != Mode::read) return;
  for (const auto& [key, value] : source_->map) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = nearest(key, known_);
    fail_input(value.where() + ": unknown key \"" + path_ + key + "\"" +
                   (near.empty() ? "" : "; did you mean \"" + path_ + near + "\"?"),
               "known keys here: " + join(known_));
  }
}

void Fields::fail_missing(const std::string& key) const {
  fail_input(source_->where() + ": the key \"" + path_ + key + "\" is missing",
             "add it, or inherit a config that has it with `base:`");
}

void Fields::fail_type(const Value& v, const std::string& path, const char* expected) {
  std::string got = v.kind == Value::Kind::map    ? "a map"
                    : v.kind == Value::Kind::list ? "a list"
                    : v.kind == Value::Kind::null ? "nothing"
                                                  : "\"" + v.scalar + "\"";
  fail_input(v.where() + ": " + path + ": expected " + expected + ", got " + got,
             near_miss(v, expected));
}

void Fields::refuse_no_value(const Value& v, const std::string& path) {
  const bool nothing = v.kind == Value::Kind::null && v.file.rfind("--set ", 0) == 0;
  if (!nothing && v.nulled.rfind("--set ", 0) != 0) return;
  fail_input((nothing ? v.file : v.nulled) + ": " + path + " is a section of keys",
             "set one of its keys, or --set '" + path + "=!replace {}' for all of its defaults");
}

void Fields::check(const Value& v, const std::string& path, double x,
                   const std::optional<Limit>& limit) {
  if (limit && !limit->holds(x)) {
    fail_input(v.where() + ": " + path + ": must be " + limit->words + ", got " + v.scalar);
  }
}

std::size_t Fields::pick(const Value& v, const std::string& path,
                         const std::vector<std::pair<std::string, bool>>& names) {
  if (v.kind != Value::Kind::scalar) fail_type(v, path, "one word");
  std::vector<std::string> built, all;
  for (const auto& [name, is_built] : names) {
    all.push_back(name);
    if (is_built) built.push_back(name);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].first != v.scalar) continue;
    if (!names[i].second) {
      fail_input(v.where() + ": " + path + ": \"" + v.scalar +
                     "\" is a documented choice that this version does not build yet",
                 "choose one of: " + join(built));
    }
    return i;
  }
  const std::string near = nearest(v.scalar, all);
  fail_input(v.where() + ": " + path + ": unknown choice \"" + v.scalar + "\"" +
                 (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
             "choose one of: " + join(built));
}

void Fields::read_value(const Value& v, const std::string& path, bool& out,
                        const std::optional<Limit>&) {
  if (v.kind == Value::Kind::scalar && !v.quoted) {
    if (v.scalar == "true") {
      out = true;
      return;
    }
    if (v.scalar == "false") {
      out = false;
      return;
    }
  }
  fail_type(v, path, "true or false");
}

void Fields::read_value(const Value& v, const std::string& path, std::string& out,
                        const std::optional<Limit>&) {
  // `--set key=` gives what stands there: no characters.
  if (v.kind == Value::Kind::null && v.nulled.empty() && v.file.rfind("--set ", 0) == 0) {
    out.clear();
    return;
  }
  if (v.kind != Value::Kind::scalar) fail_type(v, path, "text");
  out = v.scalar;
}

void Fields::read_value(const Value& v, const std::string& path, double& out,
                        const std::optional<Limit>& limit) {
  if (v.kind != Value::Kind::scalar || v.quoted) fail_type(v, path, "a number");
  double x = 0;
  const char* end = v.scalar.data() + v.scalar.size();
  const auto r = std::from_chars(v.scalar.data(), end, x);
  if (r.ec != std::errc() || r.ptr != end || !std::isfinite(x)) fail_type(v, path, "a number");
  check(v, path, x, limit);
  out = x;
}

void Fields::read_integer(const Value& v, const std::string& path, std::int64_t& out,
                          std::int64_t low, std::int64_t high) {
  if (v.kind != Value::Kind::scalar || v.quoted) fail_type(v, path, "a whole number");
  const char* end = v.scalar.data() + v.scalar.size();
  const auto r = std::from_chars(v.scalar.data(), end, out);
  if (r.ec != std::errc() || r.ptr != end || out < low || out > high) {
    fail_type(v, path, "a whole number in range");
  }
}

Value Fields::to_value(const std::string& x) {
  return from_json(nlohmann::ordered_json(x));  // quotes what would read back as something else
}

Value Fields::to_value(double x) {
  return Value::make_scalar(number(x));
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& k : known) {
    std::vector<std::size_t> row(k.size() + 1);
    for (std::size_t j = 0; j <= k.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= k.size(); ++j) {
        const std::size_t up = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (word[i - 1] != k[j - 1])});
        diagonal = up;
      }
    }
    if (row[k.size()] < best_distance) {
      best_distance = row[k.size()];
      best = k;
    }
  }
  return best;
}

}  // namespace straq::config
