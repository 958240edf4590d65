// How much memory this process can still have.
#pragma once

#include <cstdint>
#include <string>

namespace straq {

// Bytes of host memory that are free for this process: what the kernel calls available, or less
// where a control group (a container, a Slurm job) leaves less of its limit. The folders are where
// the kernel shows them; tests give their own. Throws Error(failure) without a readable meminfo.
std::uint64_t available_memory(const std::string& proc = "/proc",
                               const std::string& cgroups = "/sys/fs/cgroup");

}  // namespace straq
