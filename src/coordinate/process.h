// Processes of this host, told apart although process ids are used again.
#pragma once

#include <cstdint>
#include <string>

namespace straq::coordinate {

// When it started, in clock ticks since boot; 0 when there is no such process, or only what its
// parent has not collected yet.
std::uint64_t process_start(long pid);
// This host's name; not MPI's, because locks must do without MPI.
std::string host_name();

}  // namespace straq::coordinate
