// What tables, legends and labels call the settings of an experiment: by the name that the user
// gave a point, else by the parameters in which the settings differ, as shortly as they can still
// be told apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "results/results.h"

namespace straq::report {

// "learn.gamma" as headings say it, "gamma"; whole where another of `keys` ends alike.
std::string short_key_among(const std::string& key, const std::vector<std::string>& keys);
// A path's last part without its ending: model shapes are files. Other values as they are.
std::string short_value(const std::string& value);
// "model.shape=configs/shapes/tiny.yaml, learn.lr=0.1" as rows and legends say it: "shape=tiny,
// lr=0.1". Keys that end alike stay whole: "learn.lr=0.1, pretrain.lr=0.2". The table of results
// has the whole keys. `beside`: other keys that are named in the same place.
std::string short_setting(const std::string& setting, const std::vector<std::string>& beside = {});
// The same of several that stand beside each other: those that would read alike stay whole.
std::vector<std::string> short_settings(const std::vector<std::string>& settings,
                                        const std::vector<std::string>& beside = {});

// A run's parameters but those of `ignored`, in index.csv's order: "learn.gamma=0.85, learn.lr=1".
std::string setting_without(const results::Run& run, const std::vector<std::string>& ignored);

// The settings of an experiment's runs, seeds aside.
class SettingNames {
 public:
  explicit SettingNames(const results::Experiment& experiment);
  // "bellman" where the user named the point, else "gamma=0.85"; the experiment's name where its
  // runs differ in nothing but the seed, and the point's without an index.
  std::string of(const results::Run& run) const;

 private:
  std::string experiment_;
  std::map<std::string, std::string> short_;  // by the whole setting
};

// The parameters that an experiment's runs differ in, in index.csv's order, seeds aside. Of
// parameters that go in step (each value of one with one value of the other) the first; the others
// are in `with`.
struct SweptParameter {
  std::string key;
  std::vector<std::string> with;
};
std::vector<SweptParameter> swept_parameters(const results::Experiment& experiment);

// Keys of index.csv that follow from a parameter's value in all runs of an experiment.
std::vector<std::string> following(const results::Experiment& experiment,
                                   const std::string& parameter);

}  // namespace straq::report
