// That a process is gone needs evidence; what cannot be seen is not gone.
#include "core/process.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace straq {
namespace {

TEST(Process, PresenceTellsGoneFromUnseen) {
  const long self = getpid();
  EXPECT_EQ(presence(self, process_start(self)), Presence::there);
  EXPECT_EQ(presence(self, process_start(self) + 1), Presence::gone)
      << "its number was given again";
  EXPECT_EQ(presence(self, 0), Presence::unseen) << "when it started was never known";
  EXPECT_EQ(presence(0, 5), Presence::unseen);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(presence(child, 5), Presence::gone) << "it only waits to be counted";
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(presence(child, 5), Presence::gone);
}

// A job that has used up its file descriptors cannot read /proc: its neighbours are not dead.
TEST(Process, WhoCannotLookFindsNobodyDead) {
  const long parent = getpid();
  const std::uint64_t start = process_start(parent);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{3, 3};
    setrlimit(RLIMIT_NOFILE, &none);
    _exit(presence(parent, start) == Presence::unseen ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// A new PID namespace with the old /proc: the numbers there mean other processes.
TEST(Process, AProcThatShowsOthersIsNotBelieved) {
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0) _exit(77);
    const pid_t first = fork();
    if (first == 0) {
      const pid_t second = fork();
      if (second == 0) {
        pause();
        _exit(0);
      }
      const bool good = presence(getpid(), process_start(getpid())) == Presence::there &&
                        presence(second, 5) == Presence::unseen;
      kill(second, SIGKILL);
      waitpid(second, nullptr, 0);
      _exit(good && presence(second, 5) == Presence::gone ? 0 : 1);
    }
    int status = 0;
    waitpid(first, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  int status = 0;
  waitpid(outer, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no PID namespaces here";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace straq
