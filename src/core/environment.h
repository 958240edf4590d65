// What a process can ask about where it runs.
#pragma once

#include <string>

namespace straq {

// An environment variable's value; empty where it is not set.
std::string environment_variable(const char* name);
// This host's name; not MPI's, because locks and probes must do without MPI.
std::string host_name();
// Seconds on a clock that only goes forward; differences alone mean something.
double monotonic_seconds();
std::string utc_now();  // "2025-03-01T12:00:00Z"

}  // namespace straq
