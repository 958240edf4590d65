// What a run's numbers depend on: names and values, where a value is a setting or the SHA-256 of
// what a path named at the time. Two runs with equal inputs compute the same; one that differs in
// any of them must not go on from the other's checkpoint or be taken for it. Paths are no inputs,
// and neither is anything that only says how, where or how patiently a run is computed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace straq {

class RunInputs {
 public:
  // `what` says the name for people ("train.txt"); `otherwise` is the value that a run had whose
  // version did not know the name yet (a setting's default). Neither is part of the inputs.
  void add(const std::string& name, const std::string& value, const std::string& what = {},
           const std::string& otherwise = {});
  bool empty() const { return entries_.empty(); }

  // In words, what is different now from `before`: "train.txt has changed since", "learn.gamma was
  // 0.85 and is 0.9". Empty: a run of `before` computes what a run of these inputs does.
  std::vector<std::string> changes_since(const RunInputs& before) const;
  // SHA-256 over names and values.
  std::string hex() const;

  // {name: value}. from_json throws nlohmann's type_error for anything but texts.
  nlohmann::ordered_json to_json() const;
  static RunInputs from_json(const nlohmann::json& json);

 private:
  struct Entry {
    std::string name, value, what, otherwise;
  };
  const Entry* find(std::string_view name) const;
  std::vector<Entry> entries_;  // by name
};

// The changes as one sentence, eight at most and then their number.
std::string join_changes(const std::vector<std::string>& changes);

}  // namespace straq
