// Whoever writes into one folder at the same time, nobody meets another's temporary file: threads,
// processes, containers whose processes all have the number 1. What the dead leave goes away.
#include "core/files/temporary_name.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/files/files.h"
#include "tests/testing.h"

namespace straq {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    out.insert(entry.path().filename().string());
  }
  return out;
}

TEST(TemporaryName, IsAnotherAtEveryCallAndShortEnough) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(temporary_name("a/b.csv")).second);
  EXPECT_EQ(seen.begin()->rfind("a/b.csv.tmp.", 0), 0u);
  TemporaryFolder folder;
  const std::string path = folder.path(std::string(255, 'x'));
  write_file_atomic(path, "long");
  EXPECT_EQ(read_file(path), "long");
}

TEST(TemporaryName, ThreadsThatWriteOneFileDoNotMeet) {
  TemporaryFolder folder;
  const std::string path = folder.path("index.csv");
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string text(5000, static_cast<char>('a' + t));
      for (int i = 0; i < 25; ++i) {
        try {
          write_file_atomic(path, text);
        } catch (const Error&) {
          ++failures;
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(failures, 0);
  const std::string text = read_file(path);
  EXPECT_EQ(text, std::string(5000, text[0])) << "a mixture of two";
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"index.csv"});
}

// Process 1 of a PID namespace of its own; the exit code is `work`'s. -1: no namespaces here.
template <class F>
pid_t start_as_process_one(F&& work) {
  const pid_t outer = fork();
  if (outer != 0) return outer;
  if (unshare(CLONE_NEWPID) != 0) _exit(77);
  const pid_t inner = fork();
  if (inner == 0) {
    int code = 1;
    try {
      code = getpid() == 1 ? work() : 77;
    } catch (const std::exception&) {
    }
    _exit(code);
  }
  int status = 0;
  waitpid(inner, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

TEST(TemporaryName, ContainersWhoseProcessesHaveOneNumberDoNotMeet) {
  TemporaryFolder folder;
  const std::string path = folder.path("index.csv");
  std::vector<pid_t> jobs;
  for (int j = 0; j < 2; ++j) {
    jobs.push_back(start_as_process_one([&] {
      for (int i = 0; i < 80; ++i) write_file_atomic(path, std::string(2000, 'x'));
      return 0;
    }));
  }
  for (const pid_t job : jobs) {
    int status = 0;
    waitpid(job, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no PID namespaces here";
    EXPECT_EQ(status, 0) << "one took the other's file away";
  }
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"index.csv"});
}

TEST(TemporaryName, ALinkThatLiesInWaitIsNotFollowed) {
  TemporaryFolder folder;
  const std::string path = folder.path("index.csv"), victim = folder.path("victim");
  write_file_atomic(victim, "precious");
  const std::string guess = path + ".tmp." + std::to_string(getpid());
  fs::create_symlink(victim, guess);
  fs::create_symlink(victim, path);
  write_file_atomic(path, "new");
  EXPECT_EQ(read_file(victim), "precious");
  EXPECT_EQ(read_file(path), "new");
  EXPECT_FALSE(fs::is_symlink(path)) << "a file takes the link's place";
}

TEST(TemporaryName, WhatADeadProcessLeftIsRemovedAndNothingElse) {
  TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    auto* file = new AtomicFile(folder.path("index.csv"));
    file->write("half", 4);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(names_in(folder.path()).size(), 1u);
  AtomicFile alive(folder.path("mine.csv"));
  write_file_atomic(folder.path("notes.tmp.txt"), "a person's");
  write_file_atomic(folder.path("index.csv.tmp.4711"), "an older version's, of just now");
  write_file_atomic(folder.path("old.csv.tmp.4711"), "an older version's");
  const timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, folder.path("old.csv.tmp.4711").c_str(), long_ago, 0), 0);
  EXPECT_EQ(remove_left_temporaries(folder.path()), 2);
  const auto names = names_in(folder.path());
  EXPECT_EQ(names.size(), 3u);
  EXPECT_TRUE(names.contains("notes.tmp.txt"));
  EXPECT_TRUE(names.contains("index.csv.tmp.4711"));
  alive.write("x", 1);
  alive.publish();
  EXPECT_EQ(remove_left_temporaries(folder.path("absent")), 0);
}

}  // namespace
}  // namespace straq
