// One job at a time works on a run folder; a lock of a dead one does not keep anybody out.
#include "results/run_lock.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/files/files.h"
#include "core/log.h"
#include "tests/testing.h"

namespace straq::results {
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
  // Nothing is known of a process whose number means something else here, so its silence counts.
  for (const auto& elsewhere : {&LockHolder::boot, &LockHolder::pid_namespace, &LockHolder::host}) {
    for (const char* value : {"another", ""}) {
      h = self;
      h.start += 1;
      h.*elsewhere = value;
      EXPECT_FALSE(is_dead(h, self, options.stale_seconds - 1, options))
          << "a container, or a host of the same name";
      EXPECT_TRUE(is_dead(h, self, options.stale_seconds + 1, options));
    }
  }
  h = self;
  h.host = "elsewhere";
  EXPECT_FALSE(is_dead(h, self, options.stale_seconds - 1, options));
  EXPECT_TRUE(is_dead(h, self, options.stale_seconds + 1, options));
  LockHolder again = self;
  h.slurm_job = again.slurm_job = "17";
  EXPECT_FALSE(is_dead(h, again, 0, options)) << "another step of the same job may be running";
  again.slurm_restart = "1";
  EXPECT_TRUE(is_dead(h, again, 0, options)) << "the job was requeued";
  EXPECT_FALSE(is_dead(again, h, 0, options)) << "the later one, as the earlier one sees it";
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

// In a PID namespace of its own a job is process 1 of the same host; /proc shows its parent's.
TEST(RunLock, ALivingHolderInAnotherContainerIsLeftAlone) {
  TemporaryFolder folder;
  int up[2], down[2];
  ASSERT_EQ(pipe(up), 0);
  ASSERT_EQ(pipe(down), 0);
  const pid_t outer = fork();
  if (outer == 0) {
    char c = unshare(CLONE_NEWPID) == 0 ? 'y' : 'n';
    const pid_t inner = c == 'y' ? fork() : 0;
    if (inner == 0) {
      std::optional<RunLock> lock;
      if (c == 'y') lock.emplace(folder.path("run"));
      if (write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1) _exit(1);
      // The other way round: what it sees of the parent's lock.
      int code = 1;
      try {
        const RunLock second(folder.path("parent"));
      } catch (const FolderBusy&) {
        code = 0;
      }
      _exit(code);
    }
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  char c = 0;
  ASSERT_EQ(read(up[0], &c, 1), 1);
  const RunLock mine(folder.path("parent"));
  if (c == 'y') {
    const auto e = error_of([&] { RunLock second(folder.path("run")); });
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find("held by process 1"), std::string::npos) << e->what();
    EXPECT_TRUE(live_holder(folder.path("run")));
  }
  ASSERT_EQ(write(down[1], "x", 1), 1);
  int status = 0;
  waitpid(outer, &status, 0);
  for (const int fd : {up[0], up[1], down[0], down[1]}) close(fd);
  if (c != 'y') GTEST_SKIP() << "no PID namespaces here";
  EXPECT_EQ(status, 0) << "the parent's lock was taken";
}

// A server that is away, a ticket that has run out: the folder is out of reach for a while.
TEST(RunLock, AHeartbeatThatFailsForAWhileLosesNothing) {
  TemporaryFolder folder;
  const std::string run = folder.path("run"), aside = folder.path("aside");
  LockOptions options;
  options.heartbeat_seconds = 0.005;
  const RunLock lock(run, options);
  // A link to itself: ELOOP, which is neither "there" nor "not there".
  std::filesystem::rename(run, aside);
  std::filesystem::create_symlink(run, run);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(lock.lost());
  EXPECT_NO_THROW(lock.require_held());
  std::filesystem::remove(run);
  std::filesystem::rename(aside, run);
  const auto last = std::filesystem::last_write_time(run + "/lock/00000001.json");
  for (int i = 0; i < 500; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (std::filesystem::last_write_time(run + "/lock/00000001.json") > last) break;
  }
  EXPECT_GT(std::filesystem::last_write_time(run + "/lock/00000001.json"), last)
      << "it beats again";
  EXPECT_FALSE(lock.lost());
}

TEST(RunLock, AFolderThatSomebodyRemovedIsLostAndNotMadeAgain) {
  TemporaryFolder folder;
  const std::string run = folder.path("run");
  LockOptions options;
  options.heartbeat_seconds = 0.005;
  {
    const RunLock lock(run, options);
    std::filesystem::remove_all(run);
    for (int i = 0; i < 500 && !lock.lost(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(lock.lost());
    const auto e = error_of([&] { lock.require_held(); });
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find("run was removed"), std::string::npos) << e->what();
  }
  EXPECT_FALSE(std::filesystem::exists(run));
}

// Whoever looks and whoever takes the lock must count by one clock: the file server's.
TEST(RunLock, AgesAreCountedByTheServersClock) {
  TemporaryFolder folder;
  LockHolder other = LockHolder::self();
  other.host = "elsewhere";
  leave_lock(folder.path("run"), 3, other);
  const double now = server_clock(folder.path());
  EXPECT_TRUE(live_holder(folder.path("run"), {}, now));
  EXPECT_TRUE(live_holder(folder.path("run"), {}, now + 170));
  EXPECT_FALSE(live_holder(folder.path("run"), {}, now + 190));
  struct stat s {};
  ASSERT_EQ(stat(folder.path("run/lock/00000003.json").c_str(), &s), 0);
  EXPECT_NEAR(now, static_cast<double>(s.st_mtim.tv_sec), 60);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "the clock leaves no file";
}

// Two lock takers with one host name and one process number (two containers) had one file.
TEST(RunLock, ThreadsThatTakeALockAtTheSameTimeDoNotMixTheirFiles) {
  TemporaryFolder folder;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners = 0, losers = 0, failures = 0;
    std::vector<std::thread> threads;
    std::atomic<bool> go = false;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (!go) std::this_thread::yield();
        try {
          const RunLock lock(folder.path("run" + std::to_string(round)));
          ++winners;
          while (winners + losers + failures < 4) std::this_thread::yield();
        } catch (const FolderBusy&) {
          ++losers;
        } catch (const std::exception&) {
          ++failures;
        }
      });
    }
    go = true;
    for (auto& t : threads) t.join();
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(failures, 0);
  }
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
}  // namespace straq::results
