// One job at a time works on a run folder; a lock of a dead one does not keep anybody out.
#include "coordinate/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "core/files.h"
#include "core/log.h"
#include "tests/testing.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

void leave_lock(const std::string& run, int generation, const LockHolder& holder) {
  write_file_atomic(run + "/lock/" + fmt::format("{:08d}", generation) + ".json",
                    holder.to_json().dump());
}

TEST(RunLock, ASecondJobIsToldWhoHoldsTheFolder) {
  TemporaryFolder folder;
  {
    const RunLock lock(folder.path("run"));
    const auto e = error_of([&] { RunLock second(folder.path("run")); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->exit_code(), 1);
    EXPECT_NE(std::string(e->what()).find("process " + std::to_string(getpid())), std::string::npos)
        << e->what();
    EXPECT_NE(std::string(e->what()).find(LockHolder::self().host), std::string::npos);
    EXPECT_FALSE(lock.lost());
  }
  const RunLock after(folder.path("run"));  // released
}

TEST(RunLock, OfADeadProcessOnThisHostIsTakenOver) {
  TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    new RunLock(folder.path("run"));  // dies without releasing it
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const RunLock lock(folder.path("run"));
  EXPECT_TRUE(error_of([&] { RunLock second(folder.path("run")); }));
}

TEST(RunLock, WhoIsDead) {
  const LockHolder self = LockHolder::self();
  const LockOptions options;
  EXPECT_GT(self.start, 0u);
  EXPECT_FALSE(is_dead(self, self, 1e9, options)) << "silent, but its process is there";
  LockHolder h = self;
  h.start += 1;
  EXPECT_TRUE(is_dead(h, self, 0, options)) << "its pid was given to another process";
  h = self;
  h.boot = "another";
  EXPECT_TRUE(is_dead(h, self, 0, options)) << "the host was started again";
  h = self;
  h.host = "elsewhere";
  EXPECT_FALSE(is_dead(h, self, options.stale_seconds - 1, options));
  EXPECT_TRUE(is_dead(h, self, options.stale_seconds + 1, options));
  LockHolder again = self;
  h.slurm_job = again.slurm_job = "17";
  EXPECT_FALSE(is_dead(h, again, 0, options)) << "another step of the same job may be running";
  again.slurm_restart = "1";
  EXPECT_TRUE(is_dead(h, again, 0, options)) << "the job was requeued";
  again.slurm_job = "18";
  EXPECT_FALSE(is_dead(h, again, 0, options));
  h.released = true;
  EXPECT_TRUE(is_dead(h, self, 0, options));
}

TEST(RunLock, ALiveHolderOnAnotherHostIsBelieved) {
  TemporaryFolder folder;
  LockHolder other = LockHolder::self();
  other.host = "elsewhere";
  leave_lock(folder.path("run"), 3, other);
  const auto e = error_of([&] { RunLock lock(folder.path("run")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("elsewhere"), std::string::npos);
  LockOptions impatient;
  impatient.stale_seconds = -1;
  const RunLock lock(folder.path("run"), impatient);
}

TEST(RunLock, TheHolderNoticesThatItWasTakenOver) {
  TemporaryFolder folder;
  LockOptions options;
  options.heartbeat_seconds = 0.01;
  const RunLock lock(folder.path("run"), options);
  leave_lock(folder.path("run"), 2, LockHolder::self());
  for (int i = 0; i < 500 && !lock.lost(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(lock.lost());
}

// Many find the same dead holder at the same time: one gets the folder.
TEST(RunLock, OnlyOneOfManyTakesADeadLockOver) {
  for (int round = 0; round < 5; ++round) {
    TemporaryFolder folder;
    LockHolder dead = LockHolder::self();
    dead.start += 1;
    leave_lock(folder.path("run"), 1, dead);
    std::vector<pid_t> children;
    for (int i = 0; i < 6; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        int code = 1;
        try {
          const RunLock lock(folder.path("run"));
          std::this_thread::sleep_for(std::chrono::milliseconds(800));  // holds it meanwhile
          code = 0;
        } catch (const Error&) {
        }
        _exit(code);
      }
      children.push_back(child);
    }
    int winners = 0;
    for (const pid_t child : children) {
      int status = 0;
      waitpid(child, &status, 0);
      winners += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    EXPECT_EQ(winners, 1);
  }
}

}  // namespace
}  // namespace straq::coordinate
