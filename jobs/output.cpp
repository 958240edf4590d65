#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "core/error.h"
#include "core/log.h"

namespace straq::jobs {
namespace {

bool reader_is_gone() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

}  // namespace

void keep_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // Opened the wrong way round, so that reading and writing fail as they would have; messages
    // without a place to go are no failure. The lowest free number is this one.
    const int mode = fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY;
    if (::open("/dev/null", mode) != fd) return;
  }
}

int finish_output(int code) {
  errno = 0;
  std::cout.flush();
  int reason = std::cout ? 0 : errno;
  errno = 0;
  if (std::fflush(stdout) != 0 && reason == 0) reason = errno;
  if (std::cout && std::ferror(stdout) == 0) return code;
  if (reason == EPIPE || reader_is_gone()) return code != 0 ? code : 128 + SIGPIPE;
  log::error("straq", "standard output could not be written{}{}\n  hint: {}",
             reason != 0 ? ": " : "", reason != 0 ? std::strerror(reason) : "",
             "the result is lost: make room, or send it elsewhere, and run the command again");
  return code != 0 ? code : static_cast<int>(ErrorKind::failure);
}

}  // namespace straq::jobs
