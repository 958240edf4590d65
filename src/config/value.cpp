#include "config/value.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "config/variables.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/lfs_pointer.h"

namespace straq::config {
namespace fs = std::filesystem;
namespace {

// What a text may become: anchors can make a tree of any size out of a few lines, and no config
// comes near these.
constexpr std::size_t kMostText = 16u << 20;  // bytes of a file, and of all texts of its tree
constexpr std::size_t kMostNodes = 200'000;
constexpr int kDeepest = 100;

constexpr const char* kReplaceTag = "!replace";

struct Conversion {
  const std::string& text;
  const std::string& file;
  std::size_t nodes = 0, bytes = 0;

  void count(const YAML::Node& node, std::size_t length) {
    bytes += length;
    if (++nodes <= kMostNodes && bytes <= kMostText) return;
    fail_input(at_line(file, line_of(node), "the values here are too many, or too long"),
               "anchors that hold each other multiply; at most " + std::to_string(kMostNodes) +
                   " values and " + std::to_string(kMostText >> 20) + " MiB of text are read");
  }
  static long line_of(const YAML::Node& node) {
    return node.Mark().line >= 0 ? node.Mark().line + 1 : 0;
  }

  // The word of a null: "null" or "~", empty where there is nothing (the parser tells them not
  // apart, and marks a missing value at what follows).
  std::string null_word(const YAML::Node& node) const {
    const int at = node.Mark().pos;
    if (at < 0 || static_cast<std::size_t>(at) >= text.size()) return {};
    for (const char* word : {"~", "null", "Null", "NULL"}) {
      const std::size_t length = std::char_traits<char>::length(word);
      if (text.compare(static_cast<std::size_t>(at), length, word) != 0) continue;
      std::size_t end = static_cast<std::size_t>(at) + length;
      if (end < text.size() && std::string(" \t\r\n,]}").find(text[end]) == std::string::npos) {
        return {};
      }
      while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
      return end < text.size() && text[end] == ':' ? "" : word;  // the next line's key
    }
    return {};
  }

  void read_tag(const YAML::Node& node, Value& v) const {
    const std::string& tag = node.Tag();
    const std::string core = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?") return;
    if (tag == "!" || tag == core + "str") {  // "!" is yaml-cpp's mark of a quoted scalar
      v.quoted = v.kind == Value::Kind::scalar;
      return;
    }
    if (tag.rfind(core, 0) == 0) return;
    const bool nothing = v.kind == Value::Kind::scalar && v.scalar.empty();
    if (tag == kReplaceTag && (nothing || v.kind == Value::Kind::map)) {
      v.kind = Value::Kind::map;
      v.replaces = true;
      return;
    }
    fail_input(at_line(file, v.line, "the tag " + tag + " has no meaning here"),
               "!replace before a map makes it replace the base's; a text that begins with ! "
               "needs quotes");
  }

  Value convert(const YAML::Node& node, int depth = 0) {
    Value v;
    v.file = file;
    v.line = line_of(node);
    if (depth > kDeepest) {  // an alias inside its own anchor never ends
      fail_input(at_line(file, v.line, "nested too deeply"), "an anchor must not contain itself");
    }
    count(node, node.IsScalar() ? node.Scalar().size() : 0);
    switch (node.Type()) {
      case YAML::NodeType::Null:
        v.nulled = null_word(node);
        break;
      case YAML::NodeType::Scalar:
        v.kind = Value::Kind::scalar;
        v.scalar = node.Scalar();
        break;
      case YAML::NodeType::Sequence:
        v.kind = Value::Kind::list;
        for (const auto& item : node) v.list.push_back(convert(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        v.kind = Value::Kind::map;
        convert_map(node, v, depth);
        break;
      default:
        break;
    }
    read_tag(node, v);
    return v;
  }

  void convert_map(const YAML::Node& node, Value& v, int depth) {
    std::set<std::string> seen;
    for (const auto& item : node) {
      const long line = line_of(item.first);
      if (!item.first.IsScalar()) {
        fail_input(at_line(file, line, "a key must be one word or text"));
      }
      const std::string key = item.first.Scalar();
      count(item.first, key.size());
      if (key == "<<" && item.first.Tag() != "!") {
        fail_input(at_line(file, line, "<< merges nothing here"),
                   "inherit a whole config with `base:`, or repeat the keys");
      }
      if (!seen.insert(key).second) {
        fail_input(at_line(file, line, "the key \"" + key + "\" appears twice"),
                   "keep one of the two");
      }
      Value child = convert(item.second, depth + 1);
      child.line = line;  // the key's line is where a reader looks
      v.map.emplace_back(key, std::move(child));
    }
  }
};

// What is no YAML at all, by name: a parser's own words about it lead nowhere. Returns the text
// without a byte order mark.
std::string as_text(const std::string& text, const std::string& name) {
  if (text.size() > kMostText) {
    fail_input(name + " has " + std::to_string(text.size() >> 20) + " MiB, more than any config",
               "name a YAML file of settings");
  }
  if (is_lfs_pointer(text)) fail_input(name + ": " + lfs_pointer_words(text), kLfsHint);
  if (text.rfind("\xff\xfe", 0) == 0 || text.rfind("\xfe\xff", 0) == 0) {
    fail_input(name + " is UTF-16 text", "save it as UTF-8");
  }
  if (const auto at = text.find('\0'); at != std::string::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
    fail_input(at_line(name, line, "a zero byte: this is no UTF-8 text"),
               "name a YAML file, saved as UTF-8");
  }
  return text.rfind("\xef\xbb\xbf", 0) == 0 ? text.substr(3) : text;
}

// The first line that is indented by a tab, which YAML refuses in words of its own; 0: none.
long tab_line(const std::string& text) {
  long line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t first = text.find_first_not_of(' ', at);
    if (first < end && text[first] == '\t') return line;
    at = end + 1;
  }
  return 0;
}

Value load_with_bases(const std::string& path, std::vector<std::string>& open) {
  std::error_code ec;
  fs::path canonical = fs::weakly_canonical(path, ec);
  if (ec) canonical = path;  // load_yaml says why it cannot be read
  if (std::find(open.begin(), open.end(), canonical.string()) != open.end()) {
    fail_input(path + ": the config inherits from itself through `base:`");
  }
  constexpr std::size_t kMostBases = 50;
  if (open.size() >= kMostBases) fail_input(path + ": more than 50 configs inherit one by one");
  open.push_back(canonical.string());
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
      if (b.kind != Value::Kind::scalar || b.scalar.empty()) {
        fail_input(base->where() + ": base: expected a path or a list of paths");
      }
      const std::string named = expand_variables(b.scalar, base->where() + ": base");
      const fs::path file = fs::path(path).parent_path() / named;
      if (!fs::exists(file, ec)) {
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

// The value of --set, as value.h describes it; its lines and file are `where`.
Value set_value(const std::string& text, const std::string& where) {
  Value v;
  v.file = where;
  if (text.empty() || text == "~" || text == "null") {
    v.nulled = text;
    return v;
  }
  const bool replaces = text.rfind(kReplaceTag, 0) == 0;
  if (text[0] == '[' || text[0] == '{' || replaces) {
    // In there YAML's own rules hold, but for comments, which would cut what was meant to count.
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (quote != 0) {
        if (quote == '"' && text[i] == '\\')
          ++i;
        else if (text[i] == quote)
          quote = 0;
      } else if (text[i] == '"' || text[i] == '\'') {
        quote = text[i];
      } else if (text[i] == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t')) {
        fail_input(where + ": a list or map takes no comment (\"" + text.substr(i) + "\")",
                   "put quotes around a text with # in it");
      }
    }
    try {
      v = parse_yaml(text, where);
    } catch (const Error& e) {
      fail_input(where + ": no list or map of YAML: " + e.what(),
                 "a text that begins with [ or { needs quotes inside the value: 'key=\"[x] y\"'");
    }
    return v;
  }
  if (text[0] == '"' || text[0] == '\'') {
    try {
      v = parse_yaml(text, where);
    } catch (const Error&) {
      v.kind = Value::Kind::null;
    }
    if (v.kind != Value::Kind::scalar || !v.quoted || text.size() < 2 || text.back() != text[0]) {
      fail_input(where + ": the quote that opens the value does not close at its end",
                 "leave quotes out, or put the whole value into one pair of them");
    }
    return v;
  }
  v.kind = Value::Kind::scalar;
  v.scalar = text;
  return v;
}

void no_lines(Value& v) {
  v.line = 0;
  for (auto& x : v.list) no_lines(x);
  for (auto& [key, x] : v.map) no_lines(x);
}

void put(Value& at, const std::string& key, Value value, bool whole, const std::string& where) {
  const Value* old = at.find(key);
  const bool section = old != nullptr && old->kind == Value::Kind::map;
  const bool list = old != nullptr && old->kind == Value::Kind::list;
  if ((section || list) && value.kind == Value::Kind::null && value.nulled.empty()) {
    fail_input(where + ": nothing in place of " + (section ? "a section of keys" : "a list"),
               section ? "set one of its keys, or --set 'KEY=!replace {}' for all its defaults"
                       : "an empty list is []");
  }
  if (old != nullptr && !whole) value = merge(*old, value);
  if (whole) value.replaces = false;
  at.set(key, std::move(value));
}

struct Assignment {
  std::string path, where;
  Value value;
};

Assignment parse_assignment(const std::string& text) {
  const auto eq = text.find('=');
  if (eq == std::string::npos || eq == 0) {
    fail_input("--set " + text + ": expected key.path=value", "for example --set learn.gamma=0.9");
  }
  Assignment out{text.substr(0, eq), "--set " + text, {}};
  out.value = set_value(text.substr(eq + 1), out.where);
  no_lines(out.value);
  return out;
}

void assign(Value& root, const Assignment& a) {
  // What a sweep varies is one thing: it is not mixed with what the config varies.
  const bool whole = a.path == "sweep" || a.path.rfind("sweep.", 0) == 0;
  Value* at = &root;
  std::size_t start = 0;
  while (true) {
    const auto dot = a.path.find('.', start);
    const std::string key = a.path.substr(start, dot == std::string::npos ? dot : dot - start);
    if (key.empty()) fail_input(a.where + ": an empty key in the path");
    if (at->kind != Value::Kind::map && at->kind != Value::Kind::null) {
      fail_input(a.where + ": \"" + a.path.substr(0, start ? start - 1 : 0) +
                 "\" holds a value, not a map of keys");
    }
    if (dot == std::string::npos) {
      put(*at, key, a.value, whole, a.where);
      return;
    }
    Value* next = at->find(key);
    if (next == nullptr) next = &at->set(key, Value::make_map());
    at = next;
    start = dot + 1;
  }
}

bool is_utf8(const std::string& text) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(text.begin(), text.end(), plain)) return true;
  using Json = nlohmann::json;
  const Json json = text;
  return json.dump(-1, ' ', false, Json::error_handler_t::ignore) ==
         json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A text whose bytes are no UTF-8 (a path's), in quotes that the parser takes them back from.
std::string quote_bytes(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      const char* digits = "0123456789abcdef";
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// yaml-cpp writes only what is UTF-8: other texts stand as a word in its output and are put in
// afterwards.
struct Bytes {
  std::string word;  // begins every stand-in, and no text of the tree
  std::vector<std::string> texts;
};

void emit(YAML::Emitter& out, const Value& v, Bytes& bytes) {
  switch (v.kind) {
    case Value::Kind::null:
      out << YAML::Null;
      break;
    case Value::Kind::scalar:
      if (!is_utf8(v.scalar)) {
        out << bytes.word + std::to_string(bytes.texts.size()) + "_";
        bytes.texts.push_back(v.scalar);
        break;
      }
      if (v.quoted) out << YAML::DoubleQuoted;
      out << v.scalar;
      break;
    case Value::Kind::list: {
      const bool flat = std::all_of(v.list.begin(), v.list.end(),
                                    [](const Value& x) { return x.kind == Value::Kind::scalar; });
      out << (flat ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const auto& x : v.list) emit(out, x, bytes);
      out << YAML::EndSeq;
      break;
    }
    case Value::Kind::map:
      if (v.map.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [k, x] : v.map) {
        out << YAML::Key << k << YAML::Value;
        emit(out, x, bytes);
      }
      out << YAML::EndMap;
      break;
  }
}

bool holds(const Value& v, const std::string& word) {
  if (v.scalar.find(word) != std::string::npos) return true;
  for (const auto& x : v.list) {
    if (holds(x, word)) return true;
  }
  for (const auto& [k, x] : v.map) {
    if (k.find(word) != std::string::npos || holds(x, word)) return true;
  }
  return false;
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
  nulled.clear();  // who sets a key wants the section
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

Value parse_yaml(const std::string& bytes, const std::string& name) {
  const std::string text = as_text(bytes, name);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      fail_input(at_line(name, documents[1].Mark().line + 1, "a second document begins here"),
                 "keep one document in a file: remove the line ---");
    }
    Conversion conversion{text, name};
    return conversion.convert(documents.empty() ? YAML::Node() : documents[0]);
  } catch (const YAML::Exception& e) {
    const long tab = tab_line(text);
    fail_input(at_line(name, e.mark.line + 1, "not valid YAML: " + e.msg),
               tab > 0 ? "line " + std::to_string(tab) + " is indented with a tab: use blanks"
                       : "check the indentation and the quotes around this line");
  }
}

Value load_yaml(const std::string& path) {
  std::error_code ec;
  const auto size = fs::file_size(path, ec);
  if (!ec && size > kMostText) {
    fail_input(path + " has " + std::to_string(size >> 20) + " MiB, more than any config",
               "name a YAML file of settings");
  }
  return parse_yaml(read_file(path), path);
}

Value load_config(const std::string& path, const std::vector<std::string>& sets) {
  std::vector<std::string> open;
  Value root = load_with_bases(path, open);
  for (const auto& s : sets) assign(root, parse_assignment(s));
  expand_variables(root);
  return root;
}

Value merge(const Value& base, const Value& over) {
  Value out = base;
  if (over.kind == Value::Kind::null) {
    const bool section = base.kind == Value::Kind::map;
    if (section && !over.nulled.empty()) out.nulled = over.where();
    if (section || (base.kind == Value::Kind::list && over.nulled.empty())) return out;
  }
  if (base.kind != Value::Kind::map || over.kind != Value::Kind::map || over.replaces) {
    out = over;
    if (base.kind != Value::Kind::null) out.replaces = false;
    return out;
  }
  out.file = over.file;
  out.line = over.line;
  out.nulled.clear();
  for (const auto& [k, v] : over.map) {
    const Value* old = base.find(k);
    out.set(k, old ? merge(*old, v) : v);
  }
  return out;
}

void apply_set(Value& root, const std::string& assignment) {
  Assignment a = parse_assignment(assignment);
  expand_variables(a.value, a.path);
  assign(root, a);
}

std::string to_yaml(const Value& value) {
  Bytes bytes{"bytes_", {}};
  while (holds(value, bytes.word)) bytes.word += '_';
  YAML::Emitter out;
  emit(out, value, bytes);
  std::string text = std::string(out.c_str()) + "\n";
  for (std::size_t i = 0; i < bytes.texts.size(); ++i) {
    const std::string word = bytes.word + std::to_string(i) + "_";
    text.replace(text.find(word), word.size(), quote_bytes(bytes.texts[i]));
  }
  return text;
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
