#include "coordinate/process.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace straq::coordinate {

// Field 22 of /proc/<pid>/stat. The name in field 2 may hold spaces and parentheses, so counting
// starts after the last one.
std::uint64_t process_start(long pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string stat{std::istreambuf_iterator<char>(in), {}};
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream rest(stat.substr(end + 1));
  std::string word;
  for (int field = 3; field <= 22; ++field) {
    if (!(rest >> word)) return 0;
    if (field == 3 && (word == "Z" || word == "X")) return 0;  // it only waits to be counted
  }
  return std::strtoull(word.c_str(), nullptr, 10);
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace straq::coordinate
