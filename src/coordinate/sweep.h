// The points of a sweep: grid × seeds, expanded in a fixed order, with the index that says where
// each one stands.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/value.h"

namespace straq::coordinate {

enum class PointState { missing, running, stopped, done, failed };
const char* name(PointState state);

struct Point {
  std::string name;                                             // folder name: "gamma-0.85_seed-1"
  std::vector<std::pair<std::string, std::string>> parameters;  // dotted key → value, "seed" last
  config::Value config;  // the whole config of this point, without the sweep section
};

// One point per combination: the last grid key varies fastest, seeds fastest of all. Without a
// sweep section there is one point, "seed-<seed>". Throws Error(input) naming the key for a grid
// value that is no list, an empty list, or two points that would share a folder.
std::vector<Point> expand_points(const config::Value& root);

// The state of a point as its folder tells: DONE, FAILED, stopped (there is a checkpoint to go on
// from), or nothing yet.
PointState state_of(const std::string& experiment_folder, const Point& point);

// Writes index.csv: point,state,<parameters…>,reason. `running` names the points in progress.
void write_index(const std::string& experiment_folder, const std::vector<Point>& points,
                 const std::vector<std::string>& running);

}  // namespace straq::coordinate
