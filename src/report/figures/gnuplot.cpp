#include "report/figures/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/error.h"

extern char** environ;

namespace straq::report {
namespace {

struct Outcome {
  int spawn_error = 0;  // errno of the start; 0: it ran
  int status = 0;
  std::string said;  // standard output and error together
};

class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// No shell in between: names with blanks or quotes are safe.
Outcome run(const std::vector<std::string>& words, const std::string& folder) {
  Outcome out;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    out.spawn_error = errno;
    return out;
  }
  SpawnActions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), ends[1], 1);
  posix_spawn_file_actions_adddup2(actions.get(), ends[1], 2);
  if (!folder.empty()) posix_spawn_file_actions_addchdir_np(actions.get(), folder.c_str());
  std::vector<char*> argv;
  for (const auto& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  out.spawn_error = posix_spawnp(&child, argv[0], actions.get(), nullptr, argv.data(), environ);
  ::close(ends[1]);
  if (out.spawn_error == 0) {
    char buffer[4096];
    for (;;) {
      const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (out.said.size() < 65536) out.said.append(buffer, static_cast<std::size_t>(n));
    }
    while (::waitpid(child, &out.status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  return out;
}

std::string trimmed(std::string s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.pop_back();
  const std::size_t start = s.find_first_not_of(" \t\r\n");
  return start == std::string::npos ? "" : s.substr(start);
}

}  // namespace

std::optional<std::string> gnuplot_version(const std::string& program) {
  const Outcome o = run({program, "--version"}, "");
  if (o.spawn_error != 0 || !WIFEXITED(o.status) || WEXITSTATUS(o.status) != 0) return std::nullopt;
  return trimmed(o.said);
}

void run_gnuplot(const std::string& program, const std::string& folder, const std::string& script) {
  const Outcome o = run({program, script}, folder);
  if (o.spawn_error != 0) {
    fail_runtime("cannot start " + program + ": " + std::strerror(o.spawn_error),
                 "install gnuplot (Debian and Ubuntu: gnuplot-nox) and report again");
  }
  if (WIFEXITED(o.status) && WEXITSTATUS(o.status) == 0) return;
  const std::string how = WIFSIGNALED(o.status)
                              ? "was ended by signal " + std::to_string(WTERMSIG(o.status))
                              : "failed";
  const std::string said = trimmed(o.said);
  fail_runtime(program + " " + script + " " + how + (said.empty() ? "" : ": " + said),
               "run it by hand in " + folder + " to see more");
}

std::string gnuplot_quote(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "''";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  }
  return out + "'";
}

}  // namespace straq::report
