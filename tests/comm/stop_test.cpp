// Which signals ask a job to save, and which of them end it.
#include "comm/stop.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/error.h"

namespace straq::comm {
namespace {

// What became of a process that does `work`: its exit code, or minus the signal that ended it.
template <class F>
int outcome(F&& work) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    _exit(work());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void wait_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

TEST(Stop, EverySignalThatEndsJobsIsARequest) {
  for (const int number : {SIGTERM, SIGUSR2, SIGINT, SIGHUP}) {
    EXPECT_EQ(outcome([&] {
                watch_for_stop();
                if (stop_requested()) return 1;
                raise(number);
                if (number != SIGINT) raise(number);  // a second one changes nothing
                return stop_requested() ? 0 : 2;
              }),
              0)
        << number;
  }
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              raise(SIGUSR1);  // NCCL's
              return 0;
            }),
            -SIGUSR1);
}

TEST(Stop, ASecondInterruptEndsAtOnceButNotTheSameOneTwice) {
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              raise(SIGINT);
              raise(SIGINT);  // to the process and to its group, as `timeout -s INT` sends it
              return stop_requested() ? 0 : 1;
            }),
            0);
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              raise(SIGINT);
              wait_ms(200);
              raise(SIGINT);
              return 0;
            }),
            -SIGINT);
}

TEST(Stop, WhatWasIgnoredAtTheStartStaysIgnored) {
  EXPECT_EQ(outcome([] {
              signal(SIGHUP, SIG_IGN);  // nohup
              signal(SIGINT, SIG_IGN);  // a shell's background job
              watch_for_stop();
              raise(SIGHUP);
              raise(SIGINT);
              if (stop_requested()) return 1;
              raise(SIGTERM);
              return stop_requested() ? 0 : 2;
            }),
            0);
  // slurm/launch.sh lets ranks ignore SIGUSR2 until they can hear it.
  EXPECT_EQ(outcome([] {
              signal(SIGUSR2, SIG_IGN);
              watch_for_stop();
              raise(SIGUSR2);
              return stop_requested() ? 0 : 1;
            }),
            0);
}

TEST(Stop, ASignalThatWasHeldBackIsHeard) {
  EXPECT_EQ(outcome([] {
              sigset_t set;
              sigemptyset(&set);
              sigaddset(&set, SIGTERM);
              sigprocmask(SIG_BLOCK, &set, nullptr);
              raise(SIGTERM);
              watch_for_stop_early();
              return stop_requested() ? 0 : 1;
            }),
            0);
}

TEST(Stop, WhereNothingIsToBeSavedARequestEndsAtOnceWith75) {
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              const NothingToSave nothing;
              raise(SIGTERM);
              return 0;
            }),
            75);
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              raise(SIGINT);  // a moment too early
              const NothingToSave nothing;
              return 0;
            }),
            75);
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              { const NothingToSave nothing; }
              raise(SIGTERM);
              return 0;
            }),
            0);
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              end_if_stopped();
              raise(SIGTERM);
              try {
                end_if_stopped();
              } catch (const Error& e) {
                return e.exit_code();
              }
              return 0;
            }),
            75);
}

TEST(Stop, OtherCommandsEndAsProgramsDo) {
  EXPECT_EQ(outcome([] {
              watch_for_stop_early();
              leave_stop_to_the_system();
              raise(SIGTERM);
              return 0;
            }),
            -SIGTERM);
  EXPECT_EQ(outcome([] {
              watch_for_stop_early();
              raise(SIGINT);
              leave_stop_to_the_system();  // the one that has come counts
              return 0;
            }),
            -SIGINT);
}

// Ctrl-C ends the `tee` behind a job's log as well.
TEST(Stop, ALogThatNobodyReadsEndsNoJob) {
  EXPECT_EQ(outcome([] {
              watch_for_stop();
              int ends[2];
              if (pipe(ends) != 0) return 1;
              close(ends[0]);
              return write(ends[1], "x", 1) == -1 ? 0 : 2;
            }),
            0);
}

// An aborting rank tells its neighbours; the launcher's SIGTERM that follows is no request to save.
TEST(Stop, AnAbortIsToldFromARequest) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    watch_for_stop();
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (int i = 0; i < 2000 && !abort_announced(); ++i) wait_ms(5);
    _exit(abort_announced() && !stop_requested() ? 0 : 2);
  }
  char c = 0;
  ASSERT_EQ(read(ready[0], &c, 1), 1);
  EXPECT_EQ(outcome([&] {
              announce_abort({child});
              return abort_announced() ? 0 : 1;
            }),
            0);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace straq::comm
