// Processes of this host: told apart although process ids are used again, and run by a shell.
#pragma once

#include <cstdint>
#include <string>

namespace straq::coordinate {

// When it started, in clock ticks since boot; 0 when there is no such process, or only what its
// parent has not collected yet.
std::uint64_t process_start(long pid);

struct ShellOutput {
  int code = 0;      // the command's exit code; 1 where a signal ended it
  std::string text;  // both streams
};
// Runs a command by /bin/sh and waits for it. Throws Error(failure) where no shell can be started.
ShellOutput run_shell(const std::string& command);

}  // namespace straq::coordinate
