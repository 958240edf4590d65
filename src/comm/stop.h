// Requests to stop: SIGTERM and SIGUSR2, as batch systems send before they take the nodes away,
// SIGINT (Ctrl-C) and SIGHUP (a terminal that closes). The handlers only set a flag, which is
// looked at where stopping is safe; so a second signal changes nothing, also while a checkpoint is
// being written. A second Ctrl-C alone ends the process at once: its person has asked twice.
// SIGUSR1 is left alone: NCCL uses it.
#pragma once

#include <vector>

namespace straq::comm {

// Installs the handlers; may be called again. SIGINT and SIGHUP that were ignored when the process
// began (nohup, a shell's background jobs) stay so. Also makes a write beyond a limit on file
// sizes, or into a pipe that nobody reads (a log's `tee` that Ctrl-C has ended), an error instead
// of the end of the process.
void watch_for_stop();
// The same for the first moment of the process, before libraries have been set up: only system
// calls.
void watch_for_stop_early();
// A signal has reached this process.
bool stop_requested();
// Throws Error(stopped) when one has and nothing has been begun that could be saved.
void end_if_stopped();

// For a command that has nothing to save: signals end the process as they always do; one that has
// come already does so now.
void leave_stop_to_the_system();

// While it lives nothing is to be saved: a request ends the process at once, with exit code 75.
class NothingToSave {
 public:
  NothingToSave();
  ~NothingToSave();
  NothingToSave(const NothingToSave&) = delete;
  NothingToSave& operator=(const NothingToSave&) = delete;
};

// Tells processes of this host that the job is being ended, so that they do not take the launcher's
// SIGTERM for a request to save. They must have called watch_for_stop.
void announce_abort(const std::vector<long>& pids);
// Somebody has announced it to this process.
bool abort_announced();

}  // namespace straq::comm
