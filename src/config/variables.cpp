#include "config/variables.h"

#include <cstdlib>

#include "core/error.h"

namespace straq::config {
namespace {

// The place of the `}` that closes the `${` before `i`.
std::size_t closing_brace(const std::string& text, std::size_t i) {
  int depth = 1;
  for (; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return std::string::npos;
}

bool is_name(const std::string& name) {
  const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return !name.empty() && name.find_first_not_of(letters) == std::string::npos &&
         (name[0] < '0' || name[0] > '9');
}

constexpr int kDefaultsInDefaults = 50;

std::string expand(const std::string& text, const std::string& where, int depth) {
  if (depth > kDefaultsInDefaults) {
    fail_input(where + ": defaults are nested too deeply", "use fewer ${NAME:-…} in each other");
  }
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      out += "${";
      i += 3;
      continue;
    }
    if (text.compare(i, 2, "${") != 0) {
      out += text[i++];
      continue;
    }
    const std::size_t end = closing_brace(text, i + 2);
    if (end == std::string::npos) {
      fail_input(where + ": \"${\" without its \"}\" in \"" + text + "\"",
                 "write ${NAME} or ${NAME:-default}; $${ is a plain ${");
    }
    const std::string inside = text.substr(i + 2, end - i - 2);
    const std::size_t mark = inside.find(":-");
    const std::string name = inside.substr(0, mark);
    if (!is_name(name)) {
      fail_input(where + ": \"${" + inside + "}\" names no environment variable",
                 "write ${NAME} or ${NAME:-default}; $${ is a plain ${");
    }
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') {
      out += value;
    } else if (mark != std::string::npos) {
      out += expand(inside.substr(mark + 2), where, depth + 1);
    } else {
      fail_input(where + ": the environment variable " + name + " is not set",
                 "set it, or give a default as in ${" + name + ":-folder}");
    }
    i = end + 1;
  }
  return out;
}

}  // namespace

std::string expand_variables(const std::string& text, const std::string& where) {
  return expand(text, where, 0);
}

void expand_variables(Value& tree, const std::string& path) {
  switch (tree.kind) {
    case Value::Kind::null:
      break;
    case Value::Kind::scalar:
      if (tree.scalar.find("${") != std::string::npos) {
        tree.scalar = expand_variables(tree.scalar, tree.where() + ": " + path);
      }
      break;
    case Value::Kind::list:
      for (std::size_t i = 0; i < tree.list.size(); ++i) {
        expand_variables(tree.list[i], path + "[" + std::to_string(i) + "]");
      }
      break;
    case Value::Kind::map:
      for (auto& [key, value] : tree.map) {
        expand_variables(value, path.empty() ? key : path + "." + key);
      }
      break;
  }
}

}  // namespace straq::config
