// The points of a sweep: which settings each one has and what its folder is called. A pure function
// of the config, in a fixed order, so that every task of a job array, the allocation beside it and
// the login node mean the same point by the same index.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "config/value.h"
#include "results/point.h"

namespace straq::experiment {

// The sweep section:
//   grid:   {key: [a, b], other: [c, d]}   every combination; the last key varies fastest
//   lists:  {key: [a, b], other: [c, d]}   in step: (a, c), (b, d); each with every one of the grid
//   points: [{key: a, other: c}, …]        just these, after the combinations; `name:` names one
//   seeds:  [1, 2]                         every one of the above with each seed, fastest of all
// Keys are dotted config keys, values plain. Without any of them there is one point a seed, without
// a sweep section one point, "seed-<seed>". A folder's name is made of the settings; of lists the
// first key alone where it tells them apart. Every point has the same parameters: one that another
// point alone sets has its value of the config here.
// Throws Error(input) naming file, line and key for values that are no list, lists of unequal
// length, a key that comes twice or that a sweep cannot vary, two points of the same settings, and
// two that would share a folder.
std::vector<results::Point> expand_points(const config::Value& root);

// "3", "0,4-7": indices below `count` in ascending order, each once. Throws Error(input), naming
// the option and what is allowed.
std::vector<std::size_t> parse_indices(const std::string& text, std::size_t count,
                                       const std::string& option);

}  // namespace straq::experiment
