#include "core/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "core/error.h"

namespace straq {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// The number that a file of a control group holds; none for "max" and for a file that is not there.
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream in(path);
  std::uint64_t value = 0;
  if (!(in >> value)) return std::nullopt;
  return value;
}

// What a group and those above it leave of their limits. `folder` is the hierarchy's root, `path`
// the group in it ("/a/b").
std::uint64_t left_in(const std::string& folder, std::string path, const char* limit_name,
                      const char* used_name) {
  std::uint64_t left = kUnlimited;
  while (true) {
    std::string group = folder;
    if (path != "/") group += path;
    const auto limit = number_in(group + "/" + limit_name);
    const auto used = number_in(group + "/" + used_name);
    if (limit && used) left = std::min(left, *limit > *used ? *limit - *used : 0);
    const auto slash = path.rfind('/');
    if (path.size() <= 1 || slash == std::string::npos) return left;
    path = slash == 0 ? "/" : path.substr(0, slash);
  }
}

std::uint64_t left_in_groups(const std::string& proc, const std::string& cgroups) {
  std::ifstream in(proc + "/self/cgroup");
  std::uint64_t left = kUnlimited;
  for (std::string line; std::getline(in, line);) {
    // "0::/path" of version 2, "7:memory:/path" of version 1.
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/') continue;
    if (controllers.empty()) {
      left = std::min(left, left_in(cgroups, path, "memory.max", "memory.current"));
    } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      left = std::min(left, left_in(cgroups + "/memory", path, "memory.limit_in_bytes",
                                    "memory.usage_in_bytes"));
    }
  }
  return left;
}

}  // namespace

std::uint64_t available_memory(const std::string& proc, const std::string& cgroups) {
  const std::string path = proc + "/meminfo";
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kib = 0;
    if (words >> key >> kib && key == "MemAvailable:") {
      return std::min(1024 * kib, left_in_groups(proc, cgroups));
    }
  }
  fail_runtime(path + " does not say how much memory is available",
               "set learn.micro_tokens to a number");
}

}  // namespace straq
