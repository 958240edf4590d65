// A config file as a tree whose every node knows the file and line it came from, so that an error
// about a value can point at it even after `base:` inheritance and `--set` were applied.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace straq::config {

struct Value {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string scalar;
  bool quoted = false;  // a quoted scalar is a string, whatever it looks like
  std::vector<Value> list;
  std::vector<std::pair<std::string, Value>> map;
  std::string file;
  long line = 0;  // from 1; 0 when the value came from no file

  const Value* find(const std::string& key) const;
  Value* find(const std::string& key);
  // Adds or replaces a key of a map (a null value becomes a map).
  Value& set(const std::string& key, Value value);
  // "configs/a.yaml:12", or "--set", or the file's name.
  std::string where() const;

  static Value make_scalar(std::string text, bool quoted = false);
  static Value make_map();
  static Value make_list();
};

// One YAML file. Throws Error(input) naming file and line for syntax errors and duplicate keys.
Value load_yaml(const std::string& path);
Value parse_yaml(const std::string& text, const std::string& name);

// A config file with its `base:` (a path relative to the file, or a list of them, applied in
// order) merged underneath: maps merge key by key, everything else is replaced. Throws
// Error(input) for a cycle or a missing base.
Value load_config(const std::string& path);

// `over` on top of `base`, as load_config merges.
Value merge(const Value& base, const Value& over);

// Applies "a.b=value"; the value is read as YAML (`[1, 2]`, `true`, `0.5`). Throws Error(input)
// for a malformed assignment or a path through something that is no map.
void apply_set(Value& root, const std::string& assignment);

// YAML text that load_yaml reads back to the same tree.
std::string to_yaml(const Value& value);
// JSON with plain scalars typed as YAML 1.2's core schema types them.
nlohmann::ordered_json to_json(const Value& value);
Value from_json(const nlohmann::ordered_json& json);

}  // namespace straq::config
