#include "dialogue/strategy.h"

#include <map>
#include <utility>

#include "core/error.h"
#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace {

struct StrategyFile {
  std::vector<Strategy> strategies;
  void fields(config::Fields& f) { f.required("strategies", strategies); }
};

std::string key_of(const std::string& label) {
  return fold_case(normalise_space(label));
}

// Every spelling that stands for a strategy, its own name first.
std::vector<std::string> spellings(const Strategy& s) {
  std::vector<std::string> out = {s.name, s.abbreviation};
  out.insert(out.end(), s.aliases.begin(), s.aliases.end());
  return out;
}

}  // namespace

StrategySet StrategySet::load(const std::string& path) {
  const config::Value root = config::load_yaml(path);
  auto items = config::read<StrategyFile>(root).strategies;
  std::vector<std::string> places;
  for (const auto& node : root.find("strategies")->list) places.push_back(node.where());
  return of(std::move(items), path, places);
}

StrategySet StrategySet::of(std::vector<Strategy> items, const std::string& source,
                            const std::vector<std::string>& places) {
  StrategySet set;
  set.items_ = std::move(items);
  if (set.items_.size() < 2) {
    fail_input(source + ": a strategy set needs at least two strategies, this one has " +
                   std::to_string(set.items_.size()),
               "list them under `strategies:`, each with a name");
  }
  // A spelling must mean one strategy; a name that is also its own abbreviation is no clash.
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < set.items_.size(); ++i) {
    Strategy& s = set.items_[i];
    const std::string& place = places.empty() ? source : places[i];
    if (key_of(s.name).empty()) fail_input(place + ": a strategy's name must not be empty");
    if (key_of(s.abbreviation).empty()) s.abbreviation = s.name;
    for (const std::string& spelling : spellings(s)) {
      const std::string key = key_of(spelling);
      if (key.empty()) fail_input(place + ": \"" + s.name + "\" has an empty alias");
      const auto [it, is_new] = seen.emplace(key, i);
      if (!is_new && it->second != i) {
        fail_input(place + ": \"" + spelling + "\" of strategy \"" + s.name +
                       "\" already stands for \"" + set.items_[it->second].name + "\"",
                   "names, abbreviations and aliases are compared without case; remove one");
      }
      set.spellings_.emplace(key, static_cast<int>(i));
      set.as_written_.emplace(spelling, static_cast<int>(i));
    }
  }
  return set;
}

std::optional<int> StrategySet::find(const std::string& label) const {
  // Nearly every label of a corpus is written as the set has it.
  if (const auto it = as_written_.find(label); it != as_written_.end()) return it->second;
  if (const auto it = spellings_.find(key_of(label)); it != spellings_.end()) return it->second;
  return std::nullopt;
}

std::string StrategySet::nearest(const std::string& label) const {
  std::vector<std::string> known;
  std::map<std::string, std::string> name_of;
  for (const Strategy& s : items_) {
    for (const std::string& spelling : spellings(s)) {
      known.push_back(key_of(spelling));
      name_of.emplace(known.back(), s.name);
    }
  }
  const std::string near = config::nearest(key_of(label), known);
  return near.empty() ? near : name_of.at(near);
}

}  // namespace straq::dialogue
