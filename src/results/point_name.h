// How the points of a sweep are called, as their folders' names and in tables: by what their author
// named them, else by the settings in which they differ.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace straq::results {

// "learn.gamma" as names say it: "gamma".
std::string last_part(const std::string& key);

// A value as part of a folder's name: the file's name for a path, no odd characters; "none" for
// nothing.
std::string folder_word(std::string value);

// What stands before a name's seed: "_seed-3" of "no_lag_seed-3".
inline constexpr const char* kSeedPart = "seed-";

// The name that the author of a sweep gave to a point, from its folder's name ("no_lag" of
// "no_lag_seed-3") and its parameters in the order of index.csv. Nothing where the name was made of
// the parameters ("gamma-0.5_seed-3") and where it does not end with the point's seed, so that
// nothing tells which part of it is a name.
std::optional<std::string> given_name(
    const std::string& point, const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace straq::results
