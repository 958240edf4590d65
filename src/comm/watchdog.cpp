#include "comm/watchdog.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "comm/activity.h"
#include "comm/stop.h"
#include "comm/world.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/log.h"
#include "core/process.h"

// Plain and global, so that a debugger finds it: `set var straq_hang_here = 0`.
extern "C" {
volatile int straq_hang_here = 0;
}

namespace straq::comm {
namespace {

std::int64_t hang_at = -1;         // step; -1: never
std::vector<Peer> abort_concerns;  // set once, before any thread could abort

const char* role_name(const comm::Layout& layout, int rank) {
  switch (layout.role_of(rank)) {
    case comm::Role::coordinator:
      return "coordinator";
    case comm::Role::preprocessor:
      return "preprocessor";
    case comm::Role::learner:
      break;
  }
  return "learner";
}

std::unique_ptr<Watchdog> of_process;

}  // namespace

Watchdog::Watchdog(Options options) : options_(std::move(options)), thread_([this] { watch(); }) {}

void Watchdog::watch_over(std::vector<Peer> peers) {
  const std::lock_guard lock(mutex_);
  options_.peers = std::move(peers);
}

void Watchdog::configure(double seconds, const comm::Layout& layout) {
  const std::lock_guard lock(mutex_);
  options_.seconds = seconds;
  for (Peer& p : options_.peers) p.role = role_name(layout, p.rank);
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Watchdog::pause(double seconds) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return over_; });
}

void Watchdog::watch() {
  while (pause(options_.tick_seconds)) {
    std::string news;
    try {
      const std::lock_guard lock(mutex_);
      news = bereaved();
      if (news.empty()) news = stuck();
    } catch (const std::exception&) {
      continue;  // no memory to look with, most likely; the next turn may have some
    }
    if (news.empty()) continue;
    try {
      log::error("watchdog", "{}", news);
    } catch (const std::exception&) {
      // The job ends without these words.
    }
    if (pause(options_.grace_seconds)) options_.end();
    return;
  }
}

std::string Watchdog::stuck() {
  if (options_.seconds <= 0) return {};
  const comm::Activity now = comm::current_activity();
  if (now.changes != changes_ || now.patience == comm::Patience::none) {
    changes_ = now.changes;
    still_ = 0;
    return {};
  }
  // Counted in its own turns: a process that was suspended had none.
  still_ += options_.tick_seconds;
  const double limit =
      options_.seconds * (now.patience == comm::Patience::phase ? kPhaseDeadlines : 1);
  if (still_ < limit) return {};
  return fmt::format(
      "process {} on {} has been in one place for {:.0f} s: {}; ending the job\n"
      "  hint: a rank that waits inside a collective waits for another; the one outside, or with "
      "the lower number, is late. Longer steps need a higher watchdog.seconds; 0 turns this off",
      ::getpid(), host_name(), still_, now.describe());
}

std::string Watchdog::bereaved() const {
  for (const Peer& p : options_.peers) {
    if (presence(p.pid, p.start) != Presence::gone) continue;
    return fmt::format(
        "rank {} ({}process {} on {}) has died; ending the job\n"
        "  hint: killed by hand, by the system for its memory (dmesg), or by the batch system; the "
        "same command goes on from the last checkpoints",
        p.rank, p.role.empty() ? "" : p.role + ", ", p.pid, p.host);
  }
  return {};
}

std::vector<Peer> find_peers(MPI_Comm comm) {
  struct Card {
    char host[256];
    std::int64_t pid;
    std::uint64_t start;
  };
  int rank = 0, size = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  Card mine{};
  std::strncpy(mine.host, host_name().c_str(), sizeof mine.host - 1);
  mine.pid = ::getpid();
  mine.start = process_start(::getpid());
  std::vector<Card> all(static_cast<std::size_t>(size));
  MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all.data(), sizeof mine, MPI_BYTE, comm);
  std::vector<Peer> out;
  for (int r = 0; r < size; ++r) {
    const Card& c = all[static_cast<std::size_t>(r)];
    // Containers of one host may not see each other's processes: what is not seen is not watched.
    if (r == rank || std::strcmp(c.host, mine.host) != 0) continue;
    if (c.start == 0 || process_start(c.pid) != c.start) continue;
    out.push_back({r, {}, c.host, c.pid, c.start});
  }
  return out;
}

void warn_before_abort(const std::vector<Peer>& peers) {
  abort_concerns = peers;
  comm::World::before_abort([] {
    std::vector<long> alive;
    for (const Peer& p : abort_concerns) {
      if (presence(p.pid, p.start) == Presence::there) alive.push_back(p.pid);
    }
    announce_abort(alive);
  });
}

ProcessWatch::ProcessWatch(MPI_Comm comm) {
  comm::enter_phase("joining the job", comm::Patience::phase);
  Watchdog::Options options;
  options.seconds = WatchdogConfig{}.seconds;
  options.end = end_job;
  of_process = std::make_unique<Watchdog>(std::move(options));
  // Already that can wait: for a rank that does not come.
  std::vector<Peer> peers = find_peers(comm);
  warn_before_abort(peers);
  of_process->watch_over(std::move(peers));
}

ProcessWatch::~ProcessWatch() {
  of_process.reset();
}

void ProcessWatch::configure(double seconds, const comm::Layout& layout) {
  if (of_process) of_process->configure(seconds, layout);
}

void end_job() {
  // Where MPI itself is what hangs, the alarm's default action ends the process, and the launcher
  // the rest.
  ::alarm(5);
  comm::World::abort(static_cast<int>(ErrorKind::failure));
}

void arrange_hang(std::int64_t at_step) {
  hang_at = std::max<std::int64_t>(0, at_step);
}

void hang_if_arranged(std::int64_t step) {
  if (hang_at < 0 || step < hang_at) return;
  hang_at = -1;
  straq_hang_here = 1;
  log::warn("watchdog",
            "--hang-rank: process {} on {} waits before step {}\n"
            "  hint: gdb -p {}, then `set var straq_hang_here = 0` and `continue`; "
            "--set watchdog.seconds=0 gives you time",
            ::getpid(), host_name(), step, ::getpid());
  while (straq_hang_here != 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  log::warn("watchdog", "process {} goes on", ::getpid());
}

}  // namespace straq::comm
