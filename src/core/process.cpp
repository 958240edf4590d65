#include "core/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/process_place.h"

namespace straq {
namespace {

// Field 22 of /proc/<pid>/stat; 0 for one that only waits to be counted. Nothing: it could not be
// read. The name in field 2 may hold spaces and parentheses, so counting starts after the last one.
std::optional<std::uint64_t> start_of(long pid) {
  const bool self = pid == static_cast<long>(::getpid());
  if (!self && !proc_is_ours()) return std::nullopt;
  std::ifstream in("/proc/" + (self ? "self" : std::to_string(pid)) + "/stat");
  const std::string stat{std::istreambuf_iterator<char>(in), {}};
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream rest(stat.substr(end + 1));
  std::string word;
  for (int field = 3; field <= 22; ++field) {
    if (!(rest >> word)) return std::nullopt;
    if (field == 3 && (word == "Z" || word == "X")) return 0;
  }
  return std::strtoull(word.c_str(), nullptr, 10);
}

}  // namespace

std::uint64_t process_start(long pid) {
  return start_of(pid).value_or(0);
}

Presence presence(long pid, std::uint64_t start) {
  if (pid <= 0) return Presence::unseen;
  if (const auto found = start_of(pid)) {
    if (start == 0 && *found != 0) return Presence::unseen;  // its start was never known
    return *found == start && start != 0 ? Presence::there : Presence::gone;
  }
  // No permission to signal it is a proof that it is there; whether it is the one is not known.
  const bool none = ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
  return none ? Presence::gone : Presence::unseen;
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

}  // namespace straq
