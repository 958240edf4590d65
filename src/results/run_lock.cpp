#include "results/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/temporary_name.h"
#include "core/json/json.h"
#include "core/log.h"
#include "core/process.h"
#include "core/process_place.h"
#include "results/layout.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string lock_path(const std::string& folder, std::int64_t generation) {
  return fmt::format("{}/{:08d}.json", folder, generation);
}

// The highest generation in the folder; 0: there is none. Other processes add and remove files
// meanwhile, so nothing here may throw; `error` says that the folder could not be read.
std::int64_t highest(const std::string& folder, std::error_code& error) {
  std::int64_t top = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path path = it->path();
    const std::string stem = path.stem().string();
    if (path.extension() != ".json" || stem.empty()) continue;
    if (stem.find_first_not_of("0123456789") != std::string::npos) continue;
    top = std::max<std::int64_t>(top, std::strtoll(stem.c_str(), nullptr, 10));
  }
  return top;
}

std::optional<double> modified(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return std::nullopt;
  return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}

// Of a file whose time cannot be told: none, for nothing speaks for its death.
double seconds_between(std::optional<double> then, std::optional<double> now) {
  return then && now ? *now - *then : 0;
}

// A file of this lock's making alone beside the locks, gone with the object.
class OwnFile {
 public:
  OwnFile(const std::string& folder, const std::string& text)
      : path_(temporary_name(folder + "/.own")) {
    write_file_atomic(path_, text);
  }
  ~OwnFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  // When it is now, by the server's clock: a heartbeat is set by the same.
  std::optional<double> now() const {
    ::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);
    return modified(path_);
  }

 private:
  std::string path_;
};

// Longer from turn to turn: whoever waits for another's change of a folder may see it late.
void pause_before(int turn) {
  if (turn < 3) return;
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(1 << std::min(turn, 10), 1000)));
}

// Gives `from` the name `to` as well, unless that is taken: then false.
bool link_exclusively(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  const int why = errno;
  // A server may have made the link and lost its answer.
  struct stat a {
  }, b{};
  if (::stat(from.c_str(), &a) == 0 && ::stat(to.c_str(), &b) == 0) {
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev;
  }
  fail_runtime("cannot make the lock " + to + ": " + std::strerror(why),
               "results must lie on a filesystem with hard links, with space left");
}

}  // namespace

nlohmann::ordered_json LockHolder::to_json() const {
  return {{"host", host},
          {"pid", pid},
          {"start", start},
          {"boot", boot},
          {"pid_namespace", pid_namespace},
          {"since", since},
          {"slurm_job", slurm_job},
          {"slurm_restart", slurm_restart},
          {"released", released}};
}

LockHolder LockHolder::from_json(const nlohmann::json& j) {
  LockHolder h;
  j.at("host").get_to(h.host);
  j.at("pid").get_to(h.pid);
  j.at("start").get_to(h.start);
  j.at("boot").get_to(h.boot);
  // Locks of versions that did not write it are judged by their heartbeats.
  if (j.contains("pid_namespace")) j.at("pid_namespace").get_to(h.pid_namespace);
  j.at("since").get_to(h.since);
  j.at("slurm_job").get_to(h.slurm_job);
  j.at("slurm_restart").get_to(h.slurm_restart);
  j.at("released").get_to(h.released);
  return h;
}

LockHolder LockHolder::self() {
  LockHolder h;
  h.host = host_name();
  h.pid = ::getpid();
  h.start = process_start(h.pid);
  h.boot = straq::boot_id();
  h.pid_namespace = straq::pid_namespace();
  h.since = utc_now();
  h.slurm_job = environment_variable("SLURM_JOB_ID");
  h.slurm_restart = environment_variable("SLURM_RESTART_COUNT");
  return h;
}

bool is_dead(const LockHolder& holder, const LockHolder& self, double age,
             const LockOptions& options) {
  if (holder.released) return true;
  // Slurm starts a job again only when the attempt before has ended.
  if (!holder.slurm_job.empty() && holder.slurm_job == self.slurm_job &&
      std::atol(self.slurm_restart.c_str()) > std::atol(holder.slurm_restart.c_str())) {
    return true;
  }
  // Names of hosts are not unique: containers of several hosts often have the same. A process is
  // looked for only where its number means something.
  const bool same_place = holder.host == self.host && !holder.boot.empty() &&
                          holder.boot == self.boot && !holder.pid_namespace.empty() &&
                          holder.pid_namespace == self.pid_namespace;
  if (same_place) {
    const Presence found = presence(holder.pid, holder.start);
    if (found != Presence::unseen) return found == Presence::gone;
  }
  return age > options.stale_seconds;
}

double server_clock(const std::string& folder) {
  const double here =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string path = temporary_name(folder + "/.clock");
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return here;
  struct stat s {};
  const bool known = ::futimens(fd, nullptr) == 0 && ::fstat(fd, &s) == 0;
  ::close(fd);
  ::unlink(path.c_str());
  if (!known) return here;
  return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}

std::optional<LockHolder> live_holder(const std::string& run_folder, const LockOptions& options,
                                      std::optional<double> now) {
  const std::string folder = run_folder + "/" + kLockFolder;
  // The file may go while it is read, in favour of a newer one.
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::error_code error;
    const std::int64_t top = highest(folder, error);
    if (top == 0) return std::nullopt;
    const std::string path = lock_path(folder, top);
    const auto json = nlohmann::json::parse(text_of(path), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) continue;
    try {
      LockHolder holder = LockHolder::from_json(json);
      if (holder.released) return std::nullopt;
      const auto here =
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
      const double age = seconds_between(modified(path), now.value_or(here.count()));
      if (is_dead(holder, LockHolder::self(), age, options)) return std::nullopt;
      return holder;
    } catch (const nlohmann::json::exception&) {
    }
  }
  return std::nullopt;
}

RunLock::RunLock(const std::string& run_folder, const LockOptions& options)
    : run_folder_(run_folder), folder_(run_folder + "/" + kLockFolder), options_(options) {
  make_folders(folder_);
  acquire(run_folder);
  try {
    heart_ = std::thread([this] { beat(); });
  } catch (const std::system_error& e) {
    release();
    fail_runtime("no thread can be started to keep the lock of " + run_folder + ": " + e.what(),
                 "raise the limit on processes (ulimit -u)");
  }
}

void RunLock::acquire(const std::string& run_folder) {
  const LockHolder self = LockHolder::self();
  remove_left_temporaries(folder_);
  const OwnFile own(folder_, dump_json(self.to_json()) + "\n");
  for (int turn = 0;; ++turn) {
    pause_before(turn);
    std::error_code unreadable;
    const std::int64_t top = highest(folder_, unreadable);
    if (unreadable) {
      fail_runtime("cannot look for locks in " + folder_ + ": " + unreadable.message(),
                   "results must lie in folders that you may read and write");
    }
    if (top > 0) {
      const std::string path = lock_path(folder_, top);
      LockHolder holder;
      try {
        holder = LockHolder::from_json(nlohmann::json::parse(read_file(path)));
      } catch (const std::exception&) {
        // Removed in favour of a newer one, or a server that had to think: only what stays so is.
        if (turn < 10 || highest(folder_, unreadable) != top) continue;
        fail_runtime("the lock " + path + " cannot be read",
                     "when no other job works on " + run_folder + ", remove that file");
      }
      // Both times are the fileserver's, so that the hosts' clocks need not agree.
      const double age = seconds_between(modified(path), own.now());
      if (!is_dead(holder, self, age, options_)) {
        throw FolderBusy(
            ErrorKind::failure,
            fmt::format("{} is held by process {} on {} since {} (heard of {:.0f} s ago)",
                        run_folder, holder.pid, holder.host, holder.since, std::max(age, 0.0)),
            fmt::format("wait until that job is done, or end it; the lock of a job that died where "
                        "it cannot be seen from here (another host, another container) is taken "
                        "over after {:.0f} s",
                        options_.stale_seconds));
      }
      if (!holder.released) {
        log::warn("coordinate",
                  "{}: taking over the lock of process {} on {}, which has died (heard of {:.0f} s "
                  "ago)",
                  run_folder, holder.pid, holder.host, std::max(age, 0.0));
      }
    }
    if (!link_exclusively(own.path(), lock_path(folder_, top + 1))) continue;
    // Somebody slower than two others: the generation was used and removed meanwhile.
    if (highest(folder_, unreadable) > top + 1) {
      ::unlink(lock_path(folder_, top + 1).c_str());
      continue;
    }
    generation_ = top + 1;
    for (std::int64_t g = top; g > 0 && ::unlink(lock_path(folder_, g).c_str()) == 0; --g) {
    }
    return;
  }
}

void RunLock::beat() {
  const std::string path = lock_path(folder_, generation_);
  const auto pause = std::chrono::duration<double>(options_.heartbeat_seconds);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, pause, [this] { return ending_; })) {
    lock.unlock();
    // An exception that left this thread would end the process, with all that is not saved.
    try {
      touch(path);
    } catch (const std::exception& e) {
      silent_ = true;
    }
    lock.lock();
  }
}

// Only evidence makes a lock a lost one: a newer generation, or that somebody took the file or the
// folder away. Whatever else fails may pass.
void RunLock::touch(const std::string& path) {
  if (lost_) return;
  std::error_code unreadable;
  const std::int64_t top = highest(folder_, unreadable);
  if (top > generation_) {
    lose("another job has taken over " + run_folder_ + " while this one could not be heard of");
    return;
  }
  if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0) {
    if (std::exchange(silent_, false)) {
      log::info("coordinate", "the lock of {} can be touched again", run_folder_);
    }
    return;
  }
  const std::error_code why(errno, std::generic_category());
  if (why == std::errc::no_such_file_or_directory) {
    std::error_code e;
    const bool lock_gone = !unreadable && top < generation_;
    const bool folder_gone =
        fs::exists(fs::path(run_folder_).lexically_normal().parent_path() / ".", e) && !e &&
        !fs::exists(run_folder_, e) && !e;
    if (lock_gone || folder_gone) {
      lose(folder_gone ? run_folder_ + " was removed"
                       : "the lock of " + run_folder_ + " was removed");
      return;
    }
  }
  if (!std::exchange(silent_, true)) {
    log::warn("coordinate",
              "cannot touch the lock of {}: {}; trying again every {:.0f} s (after {:.0f} s of "
              "silence another job may take it over)",
              run_folder_, why.message(), options_.heartbeat_seconds, options_.stale_seconds);
  }
}

void RunLock::lose(const std::string& how) {
  how_ = how;
  lost_ = true;
  log::error("coordinate", "{}: nothing more is written there", how);
}

void RunLock::require_held() const {
  if (!lost_) return;
  fail_runtime(how_,
               "nothing more was written there; where another job has taken it over, its "
               "results are complete or will be");
}

RunLock::~RunLock() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (heart_.joinable()) heart_.join();
  release();
}

void RunLock::release() {
  try {
    std::error_code unreadable;
    const std::int64_t top = highest(folder_, unreadable);
    // It is another's now, or was taken away and is not to be made again.
    if (lost_ || top > generation_ || (!unreadable && top == 0)) return;
    if (unreadable == std::errc::no_such_file_or_directory) return;
    LockHolder self = LockHolder::self();
    self.released = true;
    write_file_atomic(lock_path(folder_, generation_), dump_json(self.to_json()) + "\n");
  } catch (const std::exception& e) {
    // The process ends: its lock is a dead one then.
    log::warn("coordinate", "cannot release the lock of {}: {}", folder_, e.what());
  }
}

}  // namespace straq::results
