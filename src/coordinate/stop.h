// Requests to stop: SIGTERM and SIGUSR2, as batch systems send before they take the nodes away. The
// handlers only set a flag, which is looked at where stopping is safe; so a second signal changes
// nothing, also while a checkpoint is being written. SIGUSR1 is left alone: NCCL uses it.
#pragma once

namespace straq::coordinate {

// Installs the handlers; called once by every rank of a job. Also makes a write beyond a limit on
// file sizes an error with a message instead of the end of the process.
void watch_for_stop();
// A signal has reached this process.
bool stop_requested();

}  // namespace straq::coordinate
