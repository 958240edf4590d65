#include "report/rows/setting_names.h"

#include <algorithm>
#include <set>

#include "results/point_name.h"

namespace straq::report {
namespace {

struct KeyAndValue {
  std::string key, value;  // an empty key: the text has none
};

// "a.b=1, c=2" in its parts.
std::vector<KeyAndValue> parts_of(const std::string& setting) {
  std::vector<KeyAndValue> out;
  for (std::size_t at = 0; at < setting.size();) {
    const std::size_t end = std::min(setting.find(", ", at), setting.size());
    const std::string part = setting.substr(at, end - at);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) {
      out.push_back({"", part});
    } else {
      out.push_back({part.substr(0, equals), part.substr(equals + 1)});
    }
    at = end + 2;
  }
  return out;
}

// Whether each value of `key` goes with one value of `other`.
bool decides(const results::Experiment& experiment, const std::string& key,
             const std::string& other) {
  std::map<std::string, std::string> goes_with;
  for (const results::Run& run : experiment.runs) {
    const std::string value = run.parameter(key).value_or("");
    const std::string with = run.parameter(other).value_or("");
    const auto [it, fresh] = goes_with.emplace(value, with);
    if (!fresh && it->second != with) return false;
  }
  return true;
}

// Keys of index.csv that have two values at least.
std::vector<std::string> varied_keys(const results::Experiment& experiment) {
  std::vector<std::string> keys;
  std::map<std::string, std::set<std::string>> values;
  for (const results::Run& run : experiment.runs) {
    for (const auto& [key, value] : run.parameters) {
      if (results::is_seed(key)) continue;
      if (values.find(key) == values.end()) keys.push_back(key);
      values[key].insert(value);
    }
  }
  std::erase_if(keys, [&](const std::string& key) { return values[key].size() < 2; });
  return keys;
}

}  // namespace

std::string short_key_among(const std::string& key, const std::vector<std::string>& keys) {
  const std::string word = results::last_part(key);
  const bool shared = std::any_of(keys.begin(), keys.end(), [&](const std::string& other) {
    return other != key && results::last_part(other) == word;
  });
  return shared ? key : word;
}

std::string short_value(const std::string& value) {
  const std::size_t slash = value.rfind('/');
  const std::string name = slash == std::string::npos ? value : value.substr(slash + 1);
  const std::size_t ending = name.rfind(".yaml");
  return ending == std::string::npos ? name : name.substr(0, ending);
}

std::string short_setting(const std::string& setting, const std::vector<std::string>& beside) {
  const auto parts = parts_of(setting);
  std::vector<std::string> keys = beside;
  for (const auto& p : parts) keys.push_back(p.key);
  std::string out;
  for (const auto& [key, value] : parts) {
    if (!out.empty()) out += ", ";
    out += key.empty() ? value : short_key_among(key, keys) + "=" + short_value(value);
  }
  return out;
}

std::vector<std::string> short_settings(const std::vector<std::string>& settings,
                                        const std::vector<std::string>& beside) {
  std::map<std::string, std::set<std::string>> read_as;
  for (const auto& s : settings) read_as[short_setting(s, beside)].insert(s);
  std::vector<std::string> out;
  for (const auto& s : settings) {
    const std::string label = short_setting(s, beside);
    out.push_back(read_as[label].size() > 1 ? s : label);
  }
  return out;
}

std::string setting_without(const results::Run& run, const std::vector<std::string>& ignored) {
  std::string out;
  for (const auto& [key, value] : run.parameters) {
    if (std::find(ignored.begin(), ignored.end(), key) != ignored.end()) continue;
    out += (out.empty() ? "" : ", ") + key + "=" + value;
  }
  return out;
}

SettingNames::SettingNames(const results::Experiment& experiment) : experiment_(experiment.name) {
  std::vector<std::string> settings;
  for (const results::Run& run : experiment.runs) {
    settings.push_back(setting_without(run, results::kSeedKeys));
  }
  const auto labels = short_settings(settings);
  for (std::size_t i = 0; i < settings.size(); ++i) short_[settings[i]] = labels[i];
}

std::string SettingNames::of(const results::Run& run) const {
  if (const auto name = run.given_name()) return *name;
  if (run.parameters.empty()) return run.point;
  const auto it = short_.find(setting_without(run, results::kSeedKeys));
  return it == short_.end() || it->second.empty() ? experiment_ : it->second;
}

std::vector<SweptParameter> swept_parameters(const results::Experiment& experiment) {
  std::vector<SweptParameter> out;
  for (const std::string& key : varied_keys(experiment)) {
    const auto first = std::find_if(out.begin(), out.end(), [&](const SweptParameter& p) {
      return decides(experiment, p.key, key) && decides(experiment, key, p.key);
    });
    if (first == out.end()) {
      out.push_back({key, {}});
    } else {
      first->with.push_back(key);
    }
  }
  return out;
}

std::vector<std::string> following(const results::Experiment& experiment,
                                   const std::string& parameter) {
  std::vector<std::string> out;
  for (const std::string& key : varied_keys(experiment)) {
    if (key != parameter && decides(experiment, parameter, key)) out.push_back(key);
  }
  return out;
}

}  // namespace straq::report
