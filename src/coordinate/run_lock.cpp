#include "coordinate/run_lock.h"

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
#include <sstream>

#include "coordinate/process.h"
#include "coordinate/provenance.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/files.h"
#include "core/log.h"

namespace straq::coordinate {
namespace fs = std::filesystem;
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string lock_path(const std::string& folder, std::int64_t generation) {
  return fmt::format("{}/{:08d}.json", folder, generation);
}

// The highest generation in the folder; 0: there was none. Other processes add and remove files
// meanwhile, so nothing here may throw.
std::int64_t highest(const std::string& folder) {
  std::int64_t top = 0;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    const fs::path path = it->path();
    const std::string stem = path.stem().string();
    if (path.extension() != ".json" || stem.empty()) continue;
    if (stem.find_first_not_of("0123456789") != std::string::npos) continue;
    top = std::max<std::int64_t>(top, std::strtoll(stem.c_str(), nullptr, 10));
  }
  return top;
}

double modified(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return 0;
  return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}

// A file of this process alone beside the locks, gone with the object.
class OwnFile {
 public:
  OwnFile(const std::string& folder, const std::string& text)
      : path_(folder + "/." + host_name() + "-" + std::to_string(::getpid())) {
    write_file_atomic(path_, text);
  }
  ~OwnFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

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
  h.boot = text_of("/proc/sys/kernel/random/boot_id");
  h.boot = h.boot.substr(0, h.boot.find('\n'));
  h.since = utc_now();
  h.slurm_job = environment_variable("SLURM_JOB_ID");
  h.slurm_restart = environment_variable("SLURM_RESTART_COUNT");
  return h;
}

bool is_dead(const LockHolder& holder, const LockHolder& self, double age,
             const LockOptions& options) {
  if (holder.released) return true;
  if (holder.host == self.host) {
    return holder.boot != self.boot || process_start(holder.pid) != holder.start;
  }
  // Slurm starts a job again only when the attempt before has ended.
  if (!holder.slurm_job.empty() && holder.slurm_job == self.slurm_job &&
      holder.slurm_restart != self.slurm_restart) {
    return true;
  }
  return age > options.stale_seconds;
}

std::optional<LockHolder> live_holder(const std::string& run_folder, const LockOptions& options) {
  const std::string folder = run_folder + "/lock";
  // The file may go while it is read, in favour of a newer one.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::int64_t top = highest(folder);
    if (top == 0) return std::nullopt;
    const std::string path = lock_path(folder, top);
    const auto json = nlohmann::json::parse(text_of(path), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) continue;
    try {
      LockHolder holder = LockHolder::from_json(json);
      const auto now =
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
      const double age = now.count() - modified(path);
      if (is_dead(holder, LockHolder::self(), age, options)) return std::nullopt;
      return holder;
    } catch (const nlohmann::json::exception&) {
    }
  }
  return std::nullopt;
}

RunLock::RunLock(const std::string& run_folder, const LockOptions& options)
    : folder_(run_folder + "/lock"), options_(options) {
  make_folders(folder_);
  acquire(run_folder);
  heart_ = std::thread([this] { beat(); });
}

void RunLock::acquire(const std::string& run_folder) {
  const LockHolder self = LockHolder::self();
  const OwnFile own(folder_, self.to_json().dump() + "\n");
  while (true) {
    const std::int64_t top = highest(folder_);
    if (top > 0) {
      const std::string path = lock_path(folder_, top);
      LockHolder holder;
      try {
        holder = LockHolder::from_json(nlohmann::json::parse(read_file(path)));
      } catch (const std::exception&) {
        if (highest(folder_) != top) continue;  // removed in favour of a newer one
        fail_runtime("the lock " + path + " cannot be read",
                     "when no other job works on " + run_folder + ", remove that file");
      }
      // Both times are the fileserver's, so that the hosts' clocks need not agree.
      const double age = modified(own.path()) - modified(path);
      if (!is_dead(holder, self, age, options_)) {
        throw FolderBusy(
            ErrorKind::failure,
            fmt::format("{} is held by process {} on {} since {} (heard of {:.0f} s ago)",
                        run_folder, holder.pid, holder.host, holder.since, std::max(age, 0.0)),
            fmt::format("wait until that job is done, or end it; the lock of a job that died on "
                        "another host is taken over after {:.0f} s",
                        options_.stale_seconds));
      }
      if (!holder.released) {
        log::warn("coordinate", "{}: taking over the lock of process {} on {}, which has died",
                  run_folder, holder.pid, holder.host);
      }
    }
    if (!link_exclusively(own.path(), lock_path(folder_, top + 1))) continue;
    // Somebody slower than two others: the generation was used and removed meanwhile.
    if (highest(folder_) > top + 1) {
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
    if (highest(folder_) > generation_ || ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) {
      lost_ = !fs::exists(path) || highest(folder_) > generation_;
    }
  }
}

RunLock::~RunLock() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (heart_.joinable()) heart_.join();
  if (highest(folder_) != generation_) return;  // it is another's now
  try {
    LockHolder self = LockHolder::self();
    self.released = true;
    write_file_atomic(lock_path(folder_, generation_), self.to_json().dump() + "\n");
  } catch (const std::exception& e) {
    // The process ends: its lock is a dead one then.
    log::warn("coordinate", "cannot release the lock of {}: {}", folder_, e.what());
  }
}

}  // namespace straq::coordinate
