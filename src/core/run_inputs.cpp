#include "core/run_inputs.h"

#include <algorithm>
#include <stdexcept>

#include "core/hash.h"

namespace straq {
namespace {

bool is_hash(const std::string& value) {
  return value.size() == 64 && value.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string shown(const std::string& value) {
  return value.empty() ? "nothing" : value;
}

}  // namespace

void RunInputs::add(const std::string& name, const std::string& value, const std::string& what,
                    const std::string& otherwise) {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const Entry& e, const std::string& n) { return e.name < n; });
  if (at != entries_.end() && at->name == name) {
    throw std::logic_error("run inputs: " + name + " comes twice");
  }
  entries_.insert(at, {name, value, what, otherwise});
}

const RunInputs::Entry* RunInputs::find(std::string_view name) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const Entry& e, std::string_view n) { return e.name < n; });
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

std::vector<std::string> RunInputs::changes_since(const RunInputs& before) const {
  std::vector<std::string> out;
  for (const Entry& now : entries_) {
    const Entry* then = before.find(now.name);
    const std::string& old = then != nullptr ? then->value : now.otherwise;
    if (old == now.value) continue;
    const std::string& what = now.what.empty() ? now.name : now.what;
    if (is_hash(old) || is_hash(now.value)) {
      out.push_back(what + (old.empty() ? " was not there before" : " has changed since"));
    } else {
      out.push_back(what + " was " + shown(old) + " and is " + shown(now.value));
    }
  }
  for (const Entry& then : before.entries_) {
    if (find(then.name) == nullptr && !then.value.empty()) {
      out.push_back(then.name + (is_hash(then.value) ? "" : " was " + then.value + " and") +
                    " is no longer there");
    }
  }
  return out;
}

std::string RunInputs::hex() const {
  Sha256 hash;
  for (const Entry& e : entries_) hash.update(e.name + "=" + e.value + "\n");
  return hash.hex();
}

nlohmann::ordered_json RunInputs::to_json() const {
  auto out = nlohmann::ordered_json::object();
  for (const Entry& e : entries_) out[e.name] = e.value;
  return out;
}

RunInputs RunInputs::from_json(const nlohmann::json& json) {
  RunInputs out;
  for (const auto& [name, value] : json.items()) out.add(name, value.get<std::string>());
  return out;
}

std::string join_changes(const std::vector<std::string>& changes) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, changes.size()); ++i) {
    out += (i > 0 ? "; " : "") + changes[i];
  }
  if (changes.size() > kShown) {
    out += "; and " + std::to_string(changes.size() - kShown) + " more";
  }
  return out;
}

}  // namespace straq
