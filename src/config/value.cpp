#include "config/value.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/files.h"

namespace straq::config {
namespace fs = std::filesystem;
namespace {

Value convert(const YAML::Node& node, const std::string& file, int depth = 0) {
  Value v;
  v.file = file;
  v.line = node.Mark().line >= 0 ? node.Mark().line + 1 : 0;
  if (depth > 100) {  // an alias inside its own anchor never ends
    fail_input(at_line(file, v.line, "nested too deeply"), "an anchor must not contain itself");
  }
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      v.kind = Value::Kind::scalar;
      v.scalar = node.Scalar();
      v.quoted = node.Tag() == "!";  // yaml-cpp's mark of a quoted scalar
      break;
    case YAML::NodeType::Sequence:
      v.kind = Value::Kind::list;
      for (const auto& item : node) v.list.push_back(convert(item, file, depth + 1));
      break;
    case YAML::NodeType::Map: {
      v.kind = Value::Kind::map;
      std::set<std::string> seen;
      for (const auto& item : node) {
        if (!item.first.IsScalar()) {
          fail_input(at_line(file, item.first.Mark().line + 1, "a key must be one word or text"));
        }
        const std::string key = item.first.Scalar();
        if (!seen.insert(key).second) {
          fail_input(
              at_line(file, item.first.Mark().line + 1, "the key \"" + key + "\" appears twice"),
              "keep one of the two");
        }
        Value child = convert(item.second, file, depth + 1);
        child.line = item.first.Mark().line + 1;  // the key's line is where a reader looks
        v.map.emplace_back(key, std::move(child));
      }
      break;
    }
    default:
      break;
  }
  return v;
}

Value load_with_bases(const std::string& path, std::vector<std::string>& open) {
  const std::string canonical = fs::weakly_canonical(path).string();
  if (std::find(open.begin(), open.end(), canonical) != open.end()) {
    fail_input(path + ": the config inherits from itself through `base:`");
  }
  open.push_back(canonical);
  Value own = load_yaml(path);
  if (own.kind == Value::Kind::null) own.kind = Value::Kind::map;
  if (own.kind != Value::Kind::map) {
    fail_input(at_line(path, 1, "a config must be a map of keys"), "write `key: value` lines");
  }
  Value merged = Value::make_map();
  merged.file = path;
  if (const Value* base = own.find("base")) {
    std::vector<Value> bases =
        base->kind == Value::Kind::list ? base->list : std::vector<Value>{*base};
    for (const Value& b : bases) {
      if (b.kind != Value::Kind::scalar) {
        fail_input(base->where() + ": base: expected a path or a list of paths");
      }
      const fs::path file = fs::path(path).parent_path() / b.scalar;
      if (!fs::exists(file)) {
        fail_input(base->where() + ": base: there is no file " + file.string(),
                   "a base is named relative to the file that names it");
      }
      merged = merge(merged, load_with_bases(file.string(), open));
    }
    std::erase_if(own.map, [](const auto& kv) { return kv.first == "base"; });
  }
  open.pop_back();
  return merge(merged, own);
}

void emit(YAML::Emitter& out, const Value& v) {
  switch (v.kind) {
    case Value::Kind::null:
      out << YAML::Null;
      break;
    case Value::Kind::scalar:
      if (v.quoted) out << YAML::DoubleQuoted;
      out << v.scalar;
      break;
    case Value::Kind::list: {
      const bool flat = std::all_of(v.list.begin(), v.list.end(),
                                    [](const Value& x) { return x.kind == Value::Kind::scalar; });
      out << (flat ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const auto& x : v.list) emit(out, x);
      out << YAML::EndSeq;
      break;
    }
    case Value::Kind::map:
      if (v.map.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [k, x] : v.map) {
        out << YAML::Key << k << YAML::Value;
        emit(out, x);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

const Value* Value::find(const std::string& key) const {
  for (const auto& [k, v] : map) {
    if (k == key) return &v;
  }
  return nullptr;
}

Value* Value::find(const std::string& key) {
  return const_cast<Value*>(static_cast<const Value&>(*this).find(key));
}

Value& Value::set(const std::string& key, Value value) {
  kind = Kind::map;
  if (Value* old = find(key)) return *old = std::move(value);
  map.emplace_back(key, std::move(value));
  return map.back().second;
}

std::string Value::where() const {
  if (file.empty()) return "config";
  return line > 0 ? file + ":" + std::to_string(line) : file;
}

Value Value::make_scalar(std::string text, bool quoted) {
  Value v;
  v.kind = Kind::scalar;
  v.scalar = std::move(text);
  v.quoted = quoted;
  return v;
}

Value Value::make_map() {
  Value v;
  v.kind = Kind::map;
  return v;
}

Value Value::make_list() {
  Value v;
  v.kind = Kind::list;
  return v;
}

Value parse_yaml(const std::string& text, const std::string& name) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      fail_input(at_line(name, documents[1].Mark().line + 1, "a second document begins here"),
                 "keep one document in a file: remove the line ---");
    }
    return convert(documents.empty() ? YAML::Node() : documents[0], name);
  } catch (const YAML::Exception& e) {
    fail_input(at_line(name, e.mark.line + 1, "not valid YAML: " + e.msg),
               "check the indentation and the quotes around this line");
  }
}

Value load_yaml(const std::string& path) {
  return parse_yaml(read_file(path), path);
}

Value load_config(const std::string& path) {
  std::vector<std::string> open;
  return load_with_bases(path, open);
}

Value merge(const Value& base, const Value& over) {
  if (base.kind != Value::Kind::map || over.kind != Value::Kind::map) return over;
  Value out = base;
  out.file = over.file;
  out.line = over.line;
  for (const auto& [k, v] : over.map) {
    const Value* old = base.find(k);
    out.set(k, old ? merge(*old, v) : v);
  }
  return out;
}

void apply_set(Value& root, const std::string& assignment) {
  const auto eq = assignment.find('=');
  if (eq == std::string::npos || eq == 0) {
    fail_input("--set " + assignment + ": expected key.path=value",
               "for example --set learn.gamma=0.9");
  }
  Value value = parse_yaml(assignment.substr(eq + 1), "--set " + assignment);
  value.line = 0;
  Value* at = &root;
  std::string path = assignment.substr(0, eq);
  std::size_t start = 0;
  while (true) {
    const auto dot = path.find('.', start);
    const std::string key = path.substr(start, dot == std::string::npos ? dot : dot - start);
    if (key.empty()) fail_input("--set " + assignment + ": an empty key in the path");
    if (at->kind != Value::Kind::map && at->kind != Value::Kind::null) {
      fail_input("--set " + assignment + ": \"" + path.substr(0, start ? start - 1 : 0) +
                 "\" holds a value, not a map of keys");
    }
    if (dot == std::string::npos) {
      at->set(key, std::move(value));
      return;
    }
    Value* next = at->find(key);
    if (next == nullptr) next = &at->set(key, Value::make_map());
    at = next;
    start = dot + 1;
  }
}

std::string to_yaml(const Value& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

nlohmann::ordered_json to_json(const Value& value) {
  using nlohmann::ordered_json;
  switch (value.kind) {
    case Value::Kind::null:
      return nullptr;
    case Value::Kind::list: {
      ordered_json out = ordered_json::array();
      for (const auto& x : value.list) out.push_back(to_json(x));
      return out;
    }
    case Value::Kind::map: {
      ordered_json out = ordered_json::object();
      for (const auto& [k, x] : value.map) out[k] = to_json(x);
      return out;
    }
    case Value::Kind::scalar:
      break;
  }
  const std::string& s = value.scalar;
  if (value.quoted) return s;
  if (s == "true") return true;
  if (s == "false") return false;
  if (s == "null" || s == "~" || s.empty()) return nullptr;
  const char* end = s.data() + s.size();
  long long n = 0;
  if (auto r = std::from_chars(s.data(), end, n); r.ec == std::errc() && r.ptr == end) return n;
  double d = 0;
  if (auto r = std::from_chars(s.data(), end, d);
      r.ec == std::errc() && r.ptr == end &&
      std::isfinite(d)) {  // "inf" and "nan" are words here: JSON has no such numbers
    return d;
  }
  return s;
}

Value from_json(const nlohmann::ordered_json& json) {
  if (json.is_object()) {
    Value v = Value::make_map();
    for (const auto& [k, x] : json.items()) v.map.emplace_back(k, from_json(x));
    return v;
  }
  if (json.is_array()) {
    Value v = Value::make_list();
    for (const auto& x : json) v.list.push_back(from_json(x));
    return v;
  }
  if (json.is_null()) return {};
  if (!json.is_string()) return Value::make_scalar(json.dump());
  Value plain = Value::make_scalar(json.get<std::string>());
  plain.quoted = !to_json(plain).is_string();  // "0.5" stays a string when it is read back
  return plain;
}

}  // namespace straq::config
