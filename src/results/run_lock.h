// Who holds a run folder. Two jobs that train into one folder would mix their files, so a job holds
// a lock while it works, and a second one is told who that is. A job that died leaves its lock
// behind: it is taken over once its death is certain.
//
// The protocol is right on filesystems that several nodes share. `lock/<generation>.json` appears
// by a hard link, which only one process can make; the highest generation is the lock. Taking over
// means making the next generation: of all who find the holder dead, one succeeds. The highest
// generation is never removed, only marked as released, so a generation can't come a second time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "core/error.h"

namespace straq::results {

// The holder as its file tells.
struct LockHolder {
  std::string host;
  long pid = 0;
  std::uint64_t start = 0;    // of the process, in clock ticks since boot: pids are used again
  std::string boot;           // of the host, by name of the kernel: ticks begin anew
  std::string pid_namespace;  // in which `pid` counts; empty: not known
  std::string since;          // UTC
  std::string slurm_job, slurm_restart;
  bool released = false;
  nlohmann::ordered_json to_json() const;
  static LockHolder from_json(const nlohmann::json& json);
  static LockHolder self();
};

struct LockOptions {
  double heartbeat_seconds = 15;
  double stale_seconds = 180;  // a holder that cannot be seen and was silent so long is dead
};

// `age`: seconds since the last heartbeat. Dead when released; when Slurm has started the same job
// again since; where its process would be seen (same host, start of the kernel and PID namespace)
// when no process has its pid and start time. A holder that cannot be seen from here (another host,
// another container, a process that /proc hides) is dead when it was silent for too long.
bool is_dead(const LockHolder& holder, const LockHolder& self, double age,
             const LockOptions& options);

// Seconds since 1970 by the clock of the server that `folder` lies on, which the ages of locks are
// counted by; this host's where nothing can be written there. Leaves no file.
double server_clock(const std::string& folder);

// Who holds `run_folder` and is alive, if anybody. Only looks. `now`: server_clock's; without it
// the age of a holder that cannot be seen is by this host's clock.
std::optional<LockHolder> live_holder(const std::string& run_folder,
                                      const LockOptions& options = {},
                                      std::optional<double> now = std::nullopt);

// The folder is held by another job that is alive.
class FolderBusy : public Error {
 public:
  using Error::Error;
};

class RunLock {
 public:
  // Takes the lock of `run_folder` (made when missing). Throws FolderBusy (a failure) naming the
  // holder's host, process and start when it is alive.
  explicit RunLock(const std::string& run_folder, const LockOptions& options = {});
  ~RunLock();  // releases
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Another job has taken the folder over because this one seemed dead (a node that was cut off),
  // or somebody has removed it: nothing may be written any more. A heartbeat that fails for a while
  // (a server that is away, a permission that comes back) loses nothing.
  bool lost() const { return lost_; }
  // Throws Error(failure) that says how the folder was lost, when it was.
  void require_held() const;

 private:
  void acquire(const std::string& run_folder);
  void beat();
  void touch(const std::string& path);
  void lose(const std::string& how);
  void release();

  std::string run_folder_, folder_;
  LockOptions options_;
  std::int64_t generation_ = 0;
  std::atomic<bool> lost_ = false;
  std::string how_;      // it was lost; written once, before lost_
  bool silent_ = false;  // the last heartbeat failed; the heart's own
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread heart_;
};

}  // namespace straq::results
