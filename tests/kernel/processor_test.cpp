#include "kernel/processor.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace straq::kernel {
namespace {

TEST(Processor, Bf16TilesAreWhatTheKernelReports) {
  std::ifstream info("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("flags")) flags = line + " ";
  }
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags here";
  const auto has = [&](const char* flag) { return flags.find(flag) != std::string::npos; };
  EXPECT_EQ(has_bf16_tiles(), has(" amx_bf16 ") && has(" amx_tile "));
}

}  // namespace
}  // namespace straq::kernel
