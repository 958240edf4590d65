#include "prompt/template.h"

#include <algorithm>

#include "core/error.h"

namespace straq::prompt {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// A piece and what it may and must hold.
struct PieceRule {
  const char* key;
  const std::string& text;
  std::vector<std::string> known;
  std::vector<std::string> needed;
  bool ends_line = true;
};

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "{" : ", {") + n + "}";
  return out.empty() ? "none" : out;
}

// The placeholders of a piece, in order of appearance.
std::vector<std::string> placeholders(std::string_view piece, const std::string& where) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (piece[i] != '{') continue;
    if (i + 1 < piece.size() && piece[i + 1] == '{') {
      ++i;
      continue;
    }
    const std::size_t end = piece.find('}', i);
    if (end == std::string_view::npos) {
      fail_input(where + ": a '{' is never closed",
                 "close the placeholder, or write {{ for a brace");
    }
    names.emplace_back(piece.substr(i + 1, end - i - 1));
    i = end;
  }
  return names;
}

void check_piece(const PieceRule& rule, const std::string& source) {
  const std::string where = source + ": " + rule.key;
  if (rule.text.empty()) fail_input(where + " is empty", "give the piece its text");
  if (kBlank.find(rule.text.front()) != std::string_view::npos) {
    fail_input(where + " begins with white space",
               "put the newline at the end of the piece before it: tokens must not cross pieces");
  }
  if (rule.ends_line && rule.text.back() != '\n') {
    fail_input(where + " does not end with a newline",
               "write the piece as a YAML block (key: |), which ends with one");
  }
  if (!rule.ends_line && kBlank.find(rule.text.back()) != std::string_view::npos) {
    fail_input(where + " ends with white space; the option's token follows it directly",
               "end it with the last visible character, quoted on one line");
  }
  const auto names = placeholders(rule.text, where);
  for (const auto& n : names) {
    if (std::find(rule.known.begin(), rule.known.end(), n) == rule.known.end()) {
      const std::string near = config::nearest(n, rule.known);
      fail_input(
          where + ": unknown placeholder {" + n + "}",
          near.empty() ? "this piece knows " + listed(rule.known) : "did you mean {" + near + "}?");
    }
  }
  for (const auto& n : rule.needed) {
    if (std::find(names.begin(), names.end(), n) == names.end()) {
      fail_input(where + " lacks the placeholder {" + n + "}", "add it where the value belongs");
    }
  }
}

}  // namespace

Template Template::load(const std::string& path) {
  Template out = config::read<Template>(config::load_config(path));
  out.check(path);
  return out;
}

void Template::check(const std::string& source) const {
  const std::vector<std::string> option = {"label", "name", "abbreviation", "definition"};
  const std::vector<PieceRule> rules = {
      {"instruction", instruction, {"count"}, {}},
      {"options.heading", options.heading, {"count"}, {}},
      {"options.line", options.line, option, {"label", "name"}},
      {"options.defined", options.defined, option, {"label", "name", "definition"}},
      {"situation.heading", situation.heading, {}, {}},
      {"situation.emotion", situation.emotion, {"emotion"}, {"emotion"}},
      {"situation.problem", situation.problem, {"problem"}, {"problem"}},
      {"situation.description", situation.description, {"situation"}, {"situation"}},
      {"history.heading", history.heading, {}, {}},
      {"history.seeker", history.seeker, {"text"}, {"text"}},
      {"history.supporter", history.supporter, {"text"}, {"text"}},
      {"history.tagged", history.tagged, {"text", "strategy", "abbreviation", "label"}, {"text"}},
      {"question", question, {"count", "first", "last"}, {}},
      {"answer.bracket", answer.bracket, {}, {}, false},
      {"answer.space", answer.space, {}, {}, false},
  };
  for (const auto& rule : rules) check_piece(rule, source);
}

std::string fill(std::string_view piece, const Values& values) {
  std::string out;
  out.reserve(piece.size() + 64);
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (piece[i] != '{') {
      out += piece[i];
      continue;
    }
    if (i + 1 < piece.size() && piece[i + 1] == '{') {
      out += '{';
      ++i;
      continue;
    }
    const std::size_t end = piece.find('}', i);
    const std::string_view name =
        end == std::string_view::npos ? std::string_view{} : piece.substr(i + 1, end - i - 1);
    const auto it =
        std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
    if (end == std::string_view::npos || it == values.end()) {
      fail_input("prompt piece \"" + std::string(piece) + "\": no value for \"" +
                     std::string(piece.substr(i)) + "\"",
                 "check the placeholders of the template");
    }
    out += it->second;
    i = end;
  }
  return out;
}

}  // namespace straq::prompt
