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
  bool quoted = false;    // a quoted scalar is a string, whatever it looks like
  bool replaces = false;  // a map written as `!replace {…}`: it does not merge with what is below
  // Of a null, the word it was written as, if any; of a map, where a null was written over it.
  std::string nulled;
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

// One YAML file. Throws Error(input) naming file and line for syntax errors and duplicate keys, for
// what is no UTF-8 text at all, and for a small text that anchors make a huge tree of.
Value load_yaml(const std::string& path);
Value parse_yaml(const std::string& text, const std::string& name);

// A config file with its `base:` (a path relative to the file, or a list of them, applied in
// order) merged underneath, then the --set assignments, then ${NAME} and ${NAME:-default} replaced
// in every value (config/variables.h). Maps merge key by key, or replace as a whole where they are
// written `!replace {…}`; a section or list that is left empty says nothing; everything else is
// replaced. Throws Error(input) for a cycle, a missing base, or a variable that is not set.
Value load_config(const std::string& path, const std::vector<std::string>& sets = {});

// `over` on top of `base`, as load_config merges.
Value merge(const Value& base, const Value& over);

// Applies "a.b=value". The value is what follows the first "=", as it stands: no comment cuts it
// and nothing needs quoting. Only a value that begins with [ or { is read as a YAML list or map (a
// map merges into its section; below `sweep` it replaces), one in quotes is the text inside them,
// and null, ~ and nothing at all are no value. Variables are replaced as load_config does. Throws
// Error(input) for a malformed assignment, a path through something that is no map, and for no
// value in place of a section or list.
void apply_set(Value& root, const std::string& assignment);

// YAML text that load_yaml reads back to the same tree.
std::string to_yaml(const Value& value);
// JSON with plain scalars typed as YAML 1.2's core schema types them.
nlohmann::ordered_json to_json(const Value& value);
Value from_json(const nlohmann::ordered_json& json);

}  // namespace straq::config
