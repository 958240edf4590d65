// No silent hang. Every rank has a thread that looks at what the rank does (comm/activity.h) and at
// the other ranks of its node: a rank that stays too long in one place says where it is and ends
// the job, and so does one that finds a neighbour dead. What launchers notice by themselves they
// mostly do faster; this works under every launcher and names the rank and its role.
//
// Time that the whole process spends suspended (a scheduler that makes room, a debugger) does not
// count.
#pragma once

#include <mpi.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/roles.h"
#include "config/fields.h"

namespace straq::comm {

// A rank that stays longer than this in one step, or ten times as long in a phase that takes longer
// (loading, evaluating, saving), says where it is and ends the job. 0: never.
struct WatchdogConfig {
  double seconds = 1800;
  void fields(config::Fields& f) { f("seconds", seconds, config::between(0, 1e9)); }
};

// Longer phases (comm::Patience::phase) get so many deadlines.
inline constexpr double kPhaseDeadlines = 10;

struct Peer {
  int rank = 0;
  std::string role;
  std::string host;
  long pid = 0;
  std::uint64_t start = 0;
};

class Watchdog {
 public:
  struct Options {
    double seconds = 0;          // 0: no deadline
    double tick_seconds = 0.25;  // how often it looks
    double grace_seconds = 2;    // between its words and the end, so that other ranks speak, too
    std::vector<Peer> peers;     // neighbours to watch
    std::function<void()> end;   // ends the job; throws nothing
  };
  explicit Watchdog(Options options);
  ~Watchdog();
  void watch_over(std::vector<Peer> peers);
  // What is known only once the config is read: the deadline, and what the neighbours do.
  void configure(double seconds, const comm::Layout& layout);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch();
  bool pause(double seconds);  // false: it is over
  std::string stuck();         // what to say when the deadline has passed; else empty
  std::string bereaved() const;

  Options options_;
  double still_ = 0;  // seconds without a change
  std::uint64_t changes_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;
  std::thread thread_;
};

// The other ranks of this rank's host that it can see, without roles. Collective over `comm`.
std::vector<Peer> find_peers(MPI_Comm comm);

// The watchdog of a process that belongs to a job, from before the first thing that can wait to the
// end of the job: with the default deadline until the config's is known. One a process.
class ProcessWatch {
 public:
  explicit ProcessWatch(MPI_Comm comm);  // collective
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;
  // Does nothing in a process that has none.
  static void configure(double seconds, const comm::Layout& layout);
};

// From now on whoever aborts the job first tells these neighbours, so that they do not take the
// launcher's SIGTERM for a request to save.
void warn_before_abort(const std::vector<Peer>& peers);

// Ends the job from any thread, also where the main thread is stuck inside MPI.
void end_job();

// `--hang-rank`: this process stops where it next asks, says how to attach a debugger, and waits
// until the debugger sets straq_hang_here to 0. For the developer's eyes, and the watchdog's test.
void arrange_hang(std::int64_t at_step);
void hang_if_arranged(std::int64_t step);

}  // namespace straq::comm
