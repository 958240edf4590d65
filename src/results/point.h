// A planned run of an experiment: what it is called and which settings tell it from its siblings.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/value.h"

namespace straq::results {

struct Point {
  std::string name;                                             // folder name: "gamma-0.85_seed-1"
  std::vector<std::pair<std::string, std::string>> parameters;  // dotted key → value, "seed" last
  config::Value config;  // the whole config of this point, without the sweep section
};

}  // namespace straq::results
