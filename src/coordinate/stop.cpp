#include "coordinate/stop.h"

#include <csignal>

namespace straq::coordinate {
namespace {

volatile std::sig_atomic_t stop_flag = 0;

void note_stop(int) {
  stop_flag = 1;
}

}  // namespace

void watch_for_stop() {
  struct sigaction action {};
  action.sa_handler = note_stop;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // no system call of a library fails because of it
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR2, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

bool stop_requested() {
  return stop_flag != 0;
}

}  // namespace straq::coordinate
