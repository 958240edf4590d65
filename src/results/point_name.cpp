#include "results/point_name.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "results/results.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

// Whether a name is words of parameters in their order, some of them left out: "gamma-0.5_lr-0.1".
// A value may hold the sign between two words, so all ways to cut the name are followed.
bool made_of(const std::string& name,
             const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::set<std::size_t> reached = {0};
  for (const auto& [key, value] : parameters) {
    if (is_seed(key)) continue;
    std::set<std::size_t> further;
    for (const std::size_t at : reached) {
      for (const std::string& word : {last_part(key), key}) {
        const std::string part = word + "-" + folder_word(value);
        if (name.compare(at, part.size(), part) != 0) continue;
        const std::size_t end = at + part.size();
        if (end == name.size()) return true;
        if (name[end] == '_') further.insert(end + 1);
      }
    }
    reached.insert(further.begin(), further.end());
  }
  return false;
}

}  // namespace

std::string last_part(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

std::string folder_word(std::string word) {
  if (word.find('/') != std::string::npos) {
    while (word.size() > 1 && word.back() == '/') word.pop_back();
    const fs::path file = fs::path(word).filename();
    // "Llama-3.2-1B" has no extension, whatever a path makes of its dot.
    const std::string extension = file.extension().string();
    const bool known = extension == ".yaml" || extension == ".yml" || extension == ".json";
    word = (known ? file.stem() : file).string();
  }
  std::erase(word, '+');  // 1e+30
  std::replace_if(
      word.begin(), word.end(),
      [](unsigned char c) { return !(std::isalnum(c) || c == '.' || c == '-' || c == '_'); }, '-');
  return word.empty() ? "none" : word;
}

std::optional<std::string> given_name(
    const std::string& point, const std::vector<std::pair<std::string, std::string>>& parameters) {
  for (const auto& [key, value] : parameters) {
    if (!is_seed(key)) continue;
    const std::string end = std::string("_") + kSeedPart + folder_word(value);
    if (point.size() <= end.size() || !point.ends_with(end)) continue;
    std::string name = point.substr(0, point.size() - end.size());
    if (made_of(name, parameters)) return std::nullopt;
    return name;
  }
  return std::nullopt;
}

}  // namespace straq::results
