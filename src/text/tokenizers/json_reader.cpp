#include "text/tokenizers/json_reader.h"

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"
#include "core/json/json.h"

namespace straq::text {
namespace {

// Far more than any vocabulary has; a table of this many tokens still fits any memory.
constexpr std::int64_t most_ids = 2'000'000;

}  // namespace

void refuse_pointer(const std::string& path, std::string_view bytes) {
  if (is_lfs_pointer(bytes)) fail_input(path + ": " + lfs_pointer_words(bytes), kLfsHint);
}

JsonReader::JsonReader(const std::string& path, std::string hint)
    : JsonReader(path, std::move(hint), read_file(path)) {}

JsonReader::JsonReader(const std::string& path, std::string hint, std::string bytes)
    : path_(path), hint_(std::move(hint)), bytes_(std::move(bytes)) {
  refuse_pointer(path, bytes_);
  root_ = parse_json(bytes_, path, hint_);
  if (!root_.is_object()) fail("a JSON object was expected");
}

void JsonReader::fail(const std::string& what) const {
  fail_input(path_ + ": " + what, hint_);
}

const JsonReader::json* JsonReader::find(const json& object, const char* key) const {
  if (!object.is_object()) {
    fail(std::string("an object with \"") + key + "\" was expected, not " + object.type_name());
  }
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

const JsonReader::json& JsonReader::part(const json& object, const char* key) const {
  const json* value = find(object, key);
  if (value == nullptr) fail(std::string("\"") + key + "\" is missing");
  return *value;
}

const JsonReader::json& JsonReader::list(const json& object, const char* key) const {
  const json& value = part(object, key);
  if (!value.is_array()) fail(std::string("\"") + key + "\" must be a list");
  return value;
}

std::optional<bool> JsonReader::flag(const json& object, const char* key) const {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(std::string("\"") + key + "\" must be true or false");
  return value->get<bool>();
}

std::string JsonReader::word(const json& object, const char* key) const {
  const json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) fail(std::string("\"") + key + "\" must be a string");
  return value->get<std::string>();
}

std::int32_t JsonReader::id(const json& value, const std::string& what) const {
  if (!value.is_number_integer()) fail("the id of " + what + " is not a whole number");
  const auto id = value.get<std::int64_t>();
  if (id < 0 || id >= most_ids) fail("the id of " + what + " is out of range");
  return static_cast<std::int32_t>(id);
}

}  // namespace straq::text
