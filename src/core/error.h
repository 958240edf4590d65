// Errors that a user can act on. Every failure that is somebody's input, config or environment is
// thrown as an Error with a message (what is wrong, where) and a hint (what to do); the exit code
// follows from its kind, so that scripts and Slurm can tell the cases apart.
//
//   fail_input(at_line(path, 7, "\"speaker\" is missing"), "name seeker or supporter");
#pragma once

#include <stdexcept>
#include <string>

namespace straq {

// The value is the process's exit code.
enum class ErrorKind : int {
  failure = 1,   // the environment failed: disk full, a rank died, a file vanished
  input = 2,     // bad usage, bad config, bad data
  diverged = 3,  // training diverged
  stopped = 75,  // stopped on request with a checkpoint; rerunning goes on (EX_TEMPFAIL)
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string hint = {})
      : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }
  const std::string& hint() const { return hint_; }
  // "message\n  hint: …", for people.
  std::string full() const {
    return hint_.empty() ? std::string(what()) : std::string(what()) + "\n  hint: " + hint_;
  }

 private:
  ErrorKind kind_;
  std::string hint_;
};

[[noreturn]] inline void fail_input(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::input, message, hint);
}
[[noreturn]] inline void fail_runtime(const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorKind::failure, message, hint);
}

// "file:line: message", the form that editors and people recognise.
inline std::string at_line(const std::string& file, long line, const std::string& message) {
  return file + ":" + std::to_string(line) + ": " + message;
}

}  // namespace straq
