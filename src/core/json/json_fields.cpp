#include "core/json/json_fields.h"

#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "core/files/text_file.h"
#include "core/json/json.h"

namespace straq {

JsonPlace JsonPlace::below(const std::string& key) const {
  JsonPlace out = *this;
  out.path += (path.empty() ? "" : ".") + key;
  return out;
}

void JsonPlace::fail(const std::string& message) const {
  fail_input(text() + ": " + message, hint);
}

std::string written_by(const std::string& command) {
  if (command.empty()) return "docs/formats.md lists the fields; write the file anew";
  return "write the file anew with `" + command + "`";
}

nlohmann::ordered_json read_json_of(const std::string& path, const std::string& hint) {
  const std::string text = read_text_file(path);
  nlohmann::ordered_json json;
  const std::string reason = try_parse_json(text, json);
  if (reason.empty()) return json;
  // The parser says where: "… at line 2, column 1: …".
  const std::size_t at = reason.find("at line ");
  const long line = at == std::string::npos ? 1 : std::strtol(reason.c_str() + at + 8, nullptr, 10);
  fail_input(at_line(path, line, "this is not valid JSON: " + reason), hint);
}

JsonFields::JsonFields(const Json& object, JsonPlace place)
    : JsonFields(object, std::move(place), Mode::read, std::nullopt) {}

JsonFields::JsonFields(const Json& object, JsonPlace place, Mode mode, std::optional<int> format)
    : mode_(mode), format_(format), object_(&object), place_(std::move(place)) {
  if (mode == Mode::read && !object.is_object()) place_.fail("expected a JSON object");
}

JsonFields JsonFields::skimmer(const Json& object) {
  return JsonFields(object, "", Mode::skim, std::nullopt);
}

void JsonFields::fail(const std::string& key, const std::string& message) const {
  place_.fail("\"" + key + "\" " + message);
}

bool JsonFields::has(const std::string& key) const {
  const Json* value = find(key, /*needed=*/false);
  return value != nullptr && !value->is_null();
}

const JsonFields::Json& JsonFields::at(const std::string& key) const {
  return *find(key, /*needed=*/true);
}

const JsonFields::Json* JsonFields::find(const std::string& key, bool needed) const {
  if (object_ != nullptr && object_->is_object()) {
    const auto it = object_->find(key);
    if (it != object_->end()) return &*it;
  }
  if (needed) fail(key, "is missing");
  return nullptr;
}

bool JsonFields::wrong(const std::string& key, const char* wanted) const {
  if (mode_ == Mode::read) fail(key, std::string("must be ") + wanted);
  return false;
}

bool JsonFields::take(const std::string& key, const Json& value, bool& out) const {
  if (!value.is_boolean()) return wrong(key, "true or false");
  out = value.get<bool>();
  return true;
}

bool JsonFields::take(const std::string& key, const Json& value, std::string& out) const {
  if (!value.is_string()) return wrong(key, "text");
  out = value.get<std::string>();
  return true;
}

bool JsonFields::take(const std::string& key, const Json& value, double& out) const {
  if (!value.is_number()) return wrong(key, "a number");
  out = value.get<double>();
  return true;
}

bool JsonFields::take(const std::string& key, const Json& value, std::int64_t& out) const {
  const auto x = whole_number(value);
  if (!x) return wrong(key, value.is_number() ? kWhole : "a whole number");
  out = *x;
  return true;
}

bool JsonFields::take(const std::string& key, const Json& value, std::uint64_t& out) const {
  if (value.is_number_unsigned()) {
    out = value.get<std::uint64_t>();
    return true;
  }
  std::int64_t x = 0;
  if (!take(key, value, x)) return false;
  if (x < 0) return wrong(key, "a whole number that is not negative");
  out = static_cast<std::uint64_t>(x);
  return true;
}

void JsonFields::count(const std::string& key, std::optional<double>& value) {
  if (reading()) {
    (*this)(key, value);
  } else if (value) {
    out_[key] = static_cast<std::int64_t>(std::llround(*value));
  }
}

void JsonFields::numbers_or_null(const std::string& key, std::vector<double>& values) {
  if (writing()) {
    out_[key] = values;
    return;
  }
  if (!has(key)) return;
  const Json& list = at(key);
  values.clear();
  if (!list.is_array()) wrong(key, "a list");
  for (const Json& item : list) {
    double x = std::numeric_limits<double>::quiet_NaN();
    if (!item.is_null()) take(key, item, x);
    values.push_back(x);
  }
}

void JsonFields::format(int number, const std::string& otherwise, bool needed, int oldest) {
  int found = number;
  if (writing() || needed || has("format")) (*this)("format", found);
  format_ = found;
  const int first = oldest > 0 ? oldest : number;
  if (found >= first && found <= number) return;
  fail_input(place_.text() + ": its format is " + std::to_string(found) + ", this program reads " +
                 (first < number ? std::to_string(first) + " to " : "") + std::to_string(number),
             otherwise);
}

void JsonFields::put_all(const Json& object) {
  for (const auto& [key, value] : object.items()) out_[key] = value;
}

}  // namespace straq
