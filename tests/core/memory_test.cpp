#include "core/memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq {
namespace {

class Memory : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const auto file = std::filesystem::path(folder.path(path));
    std::filesystem::create_directories(file.parent_path());
    write_file_atomic(file.string(), text);
  }
  std::uint64_t available() const {
    return available_memory(folder.path("proc"), folder.path("cgroup"));
  }
  straq::testing::TemporaryFolder folder;
};

TEST_F(Memory, IsWhatTheKernelCallsAvailable) {
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  100 kB\nMemAvailable:  3000 kB\n");
  EXPECT_EQ(available(), 3000u * 1024);
}

TEST_F(Memory, IsWhatAJobsControlGroupLeaves) {
  write("proc/meminfo", "MemAvailable:  3000 kB\n");
  write("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  write("cgroup/slurm/job_7/step_0/memory.max", "max\n");
  write("cgroup/slurm/job_7/step_0/memory.current", "1000\n");
  write("cgroup/slurm/job_7/memory.max", "50000\n");
  write("cgroup/slurm/job_7/memory.current", "20000\n");
  EXPECT_EQ(available(), 30000u);
}

TEST_F(Memory, KnowsTheOlderControlGroups) {
  write("proc/meminfo", "MemAvailable:  3000 kB\n");
  write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n");
  write("cgroup/memory/docker/abc/memory.limit_in_bytes", "7000\n");
  write("cgroup/memory/docker/abc/memory.usage_in_bytes", "9000\n");  // reclaim is under way
  EXPECT_EQ(available(), 0u);
}

TEST_F(Memory, SaysWhichFileIsMissing) {
  const auto error = straq::testing::error_of([&] { available(); });
  ASSERT_TRUE(error);
  EXPECT_NE(error->full().find("meminfo"), std::string::npos);
}

TEST(MemoryHere, IsSomething) {
  EXPECT_GT(available_memory(), 0u);
}

}  // namespace
}  // namespace straq
