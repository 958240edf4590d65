#include "coordinate/process.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/error.h"

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

ShellOutput run_shell(const std::string& command) {
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) fail_runtime("no shell could be started", "is /bin/sh there?");
  ShellOutput out;
  char buffer[512];
  std::size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, pipe)) > 0) out.text.append(buffer, n);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  return out;
}

}  // namespace straq::coordinate
