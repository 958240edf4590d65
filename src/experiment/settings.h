// Which setting matters under which other: a table in code, so that a setting that somebody wrote
// and that nothing would read is told and not silently accepted. docs/formats.md says what a user
// sees of it.
#pragma once

#include <string>
#include <vector>

#include "config/value.h"

namespace straq::experiment {

// What a job is, as far as settings depend on it.
struct SettingsContext {
  int world = 0;          // ranks; 0: not known here
  bool recorded = false;  // a run's own config.yaml, with every default written out: only what
                          // --set says was written by somebody
};

struct IdleSetting {
  std::string key;       // dotted
  std::string where;     // "configs/a.yaml:7"
  std::string why;       // "learn.neg.ratio is 0: no negatives are drawn"
  std::string needs;     // "set learn.neg.ratio above 0"
  bool mistake = false;  // cannot be meant: refused
};

// The settings that `root` (as load_config returns it) writes and that change nothing in any point
// of its sweep. One that matters in some of the points is not among them.
std::vector<IdleSetting> idle_settings(const config::Value& root, const SettingsContext& context);

// A warning for each of them. Throws Error(input) for the first that cannot be meant, and what
// read_experiment and expand_points throw.
void check_settings(const config::Value& root, const SettingsContext& context);

// The keys, or "section." for all that is below, that always matter, and those that the table has a
// rule for: every key of an experiment is in one of the two.
std::vector<std::string> always_effective();
std::vector<std::string> conditional_settings();

}  // namespace straq::experiment
