#include "respond/wording.h"

#include "core/error.h"

namespace straq::respond {
namespace {

void check_wording(const config::Fields& f, const std::string& key, std::string& text,
                   const std::vector<std::string_view>& known,
                   const std::vector<std::string_view>& needed) {
  if (!f.reading()) return;
  text = without_line_end(std::move(text));
  prompt::Values values;
  for (const auto name : known) values.emplace_back(name, "");
  try {
    static_cast<void>(prompt::fill(text, values));
  } catch (const Error& e) {
    std::string names;
    for (const auto name : known) names += (names.empty() ? "{" : ", {") + std::string(name) + "}";
    fail_input(f.where(key) + ": " + e.what(),
               "this piece knows " + (names.empty() ? std::string("no placeholder") : names) +
                   "; {{ is a brace");
  }
  for (const auto name : needed) {
    if (text.find("{" + std::string(name) + "}") == std::string::npos) {
      fail_input(f.where(key) + ": the piece lacks the placeholder {" + std::string(name) + "}",
                 "add it where the value belongs");
    }
  }
}

}  // namespace

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

void piece(config::Fields& f, const std::string& key, std::string& text,
           const std::vector<std::string_view>& known,
           const std::vector<std::string_view>& needed) {
  f.required(key, text);
  check_wording(f, key, text, known, needed);
  if (f.reading() && text.empty()) fail_input(f.where(key) + " is empty", "give it its text");
}

void optional_piece(config::Fields& f, const std::string& key, std::string& text,
                    const std::vector<std::string_view>& known) {
  f(key, text);
  check_wording(f, key, text, known, {});
}

}  // namespace straq::respond
