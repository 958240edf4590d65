#include "comm/stop.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>

#include "core/error.h"

namespace straq::comm {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGUSR2, SIGINT, SIGHUP};
constexpr int kAbort = 0x57A9;  // what announce_abort sends along
// Programs that pass a signal on to a child and to its group send it twice at the same moment.
constexpr long kTwiceNanoseconds = 100'000'000;

// A handler runs on whatever thread the signal meets.
static_assert(std::atomic<int>::is_always_lock_free);
std::atomic<int> stop_flag = 0;
std::atomic<int> abort_flag = 0;
std::atomic<int> nothing_to_save = 0;
bool taken[std::size(kSignals)] = {};               // this process handles it,
struct sigaction before_us[std::size(kSignals)]{};  // and what it did before
timespec first_interrupt{};                         // the handler's own

bool soon_after_the_first() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long seconds = now.tv_sec - first_interrupt.tv_sec;
  return seconds <= 1 &&
         seconds * 1'000'000'000 + now.tv_nsec - first_interrupt.tv_nsec < kTwiceNanoseconds;
}

void say(const char* words) {
  const auto written = ::write(STDERR_FILENO, words, std::strlen(words));
  static_cast<void>(written);
}

void end_with_nothing_to_save() {
  say("straq: stopped on request; there was nothing to save, the same command goes on\n");
  _exit(static_cast<int>(ErrorKind::stopped));
}

void die_of(int number) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(number, &action, nullptr);
  raise(number);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

// Only what a signal handler may do.
void note_stop(int number, siginfo_t* info, void*) {
  const int before = errno;
  if (number == SIGUSR2 && info != nullptr && info->si_code == SI_QUEUE &&
      info->si_value.sival_int == kAbort) {
    abort_flag = 1;
  } else {
    if (nothing_to_save) end_with_nothing_to_save();
    if (number == SIGINT) {
      static volatile std::sig_atomic_t interrupts = 0;
      if (interrupts == 0) {
        interrupts = 1;
        clock_gettime(CLOCK_MONOTONIC, &first_interrupt);
        say("straq: saves what there is, then ends; another Ctrl-C ends at once\n");
      } else if (!soon_after_the_first()) {
        die_of(number);
      }
    }
    stop_flag = number;
  }
  errno = before;
}

}  // namespace

void watch_for_stop_early() {
  struct sigaction action {};
  action.sa_sigaction = note_stop;
  action.sa_flags = SA_RESTART | SA_SIGINFO;  // no system call of a library fails because of it
  sigset_t set;
  sigemptyset(&set);
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    const int number = kSignals[i];
    struct sigaction now {};
    if (sigaction(number, nullptr, &now) != 0) continue;
    if ((number == SIGINT || number == SIGHUP) && now.sa_handler == SIG_IGN) continue;
    if (!taken[i]) {
      before_us[i] = now;
      taken[i] = sigaction(number, &action, nullptr) == 0;
    }
    sigaddset(&set, number);
  }
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void watch_for_stop() {
  watch_for_stop_early();
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() {
  return stop_flag != 0;
}

void end_if_stopped() {
  if (!stop_requested()) return;
  throw Error(ErrorKind::stopped, "stopped on request before anything was begun",
              "run the same command again");
}

void leave_stop_to_the_system() {
  const int came = stop_flag;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    if (taken[i]) sigaction(kSignals[i], &before_us[i], nullptr);
    taken[i] = false;
  }
  stop_flag = 0;
  if (came != 0) raise(came);
}

NothingToSave::NothingToSave() {
  nothing_to_save = 1;
  if (stop_requested()) end_with_nothing_to_save();
}

NothingToSave::~NothingToSave() {
  nothing_to_save = 0;
}

void announce_abort(const std::vector<long>& pids) {
  abort_flag = 1;
  sigval value{};
  value.sival_int = kAbort;
  for (const long pid : pids) sigqueue(static_cast<pid_t>(pid), SIGUSR2, value);
}

bool abort_announced() {
  return abort_flag != 0;
}

}  // namespace straq::comm
