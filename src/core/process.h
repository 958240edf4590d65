// Processes of this host: told apart although process ids are used again, and run by a shell.
#pragma once

#include <cstdint>
#include <string>

namespace straq {

// When it started, in clock ticks since boot; 0 when there is no such process, only what its parent
// has not collected yet, or when it cannot be seen.
std::uint64_t process_start(long pid);

// What can be said of the process `pid` of this PID namespace that started at `start`. That it is
// gone needs evidence: /proc may hide the processes of others (hidepid), and a process that has no
// file descriptor left sees nothing at all.
enum class Presence { there, gone, unseen };
Presence presence(long pid, std::uint64_t start);

struct ShellOutput {
  int code = 0;      // the command's exit code; 1 where a signal ended it
  std::string text;  // both streams
};
// Runs a command by /bin/sh and waits for it. Throws Error(failure) where no shell can be started.
ShellOutput run_shell(const std::string& command);

}  // namespace straq
