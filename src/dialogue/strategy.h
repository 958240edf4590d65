// The support strategies: their order, names, abbreviations, definitions and the other spellings
// that corpora use for them. Read from configs/strategies/*.yaml.
//
//   const auto strategies = StrategySet::load("configs/strategies/esconv.yaml");
//   const auto index = strategies.find("Restatement");  // 1, by an alias
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/fields.h"

namespace straq::dialogue {

struct Strategy {
  std::string name;                  // "Reflection of feelings"
  std::string abbreviation;          // "Ref."; where none is given the name
  std::string definition;            // one sentence of our own
  std::vector<std::string> aliases;  // other spellings, compared without case

  void fields(config::Fields& f) {
    f.required("name", name);
    f("abbreviation", abbreviation);
    f("definition", definition);
    f("aliases", aliases);
  }
};

class StrategySet {
 public:
  // Throws Error(input) for duplicate names or aliases and for fewer than two strategies.
  static StrategySet load(const std::string& path);
  // The same checks on strategies that came from elsewhere; `source` names them in errors,
  // `places`, if any, each of them.
  static StrategySet of(std::vector<Strategy> items, const std::string& source,
                        const std::vector<std::string>& places = {});

  int size() const { return static_cast<int>(items_.size()); }
  const std::vector<Strategy>& items() const { return items_; }
  const Strategy& operator[](int i) const { return items_.at(static_cast<std::size_t>(i)); }
  // By name or alias, without regard to case and outer blanks.
  std::optional<int> find(const std::string& label) const;
  // The known name nearest to `label`, for error messages; empty when none is near.
  std::string nearest(const std::string& label) const;

 private:
  std::vector<Strategy> items_;
  std::unordered_map<std::string, int> spellings_;  // without regard to case -> index
  std::unordered_map<std::string, int> as_written_;
};

}  // namespace straq::dialogue
