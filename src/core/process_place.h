// Where this process runs, as far as other processes can be told apart: a process id means
// something only inside one PID namespace of one start of one kernel.
#pragma once

#include <string>

namespace straq {

// The kernel's name for its present start (a UUID), and the PID namespace's inode in decimal.
// Empty where /proc does not tell.
std::string boot_id();
std::string pid_namespace();

// /proc lists the processes of this PID namespace. A process in a new namespace that kept the /proc
// of its parent finds other processes there under the numbers that it knows.
bool proc_is_ours();

}  // namespace straq
