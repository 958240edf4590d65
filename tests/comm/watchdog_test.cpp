// A rank that stands still says so and ends the job; one that moves, waits for work or is alone in
// being slow does not.
#include "comm/watchdog.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "comm/activity.h"
#include "core/environment.h"
#include "core/process.h"

namespace straq::comm {
namespace {

using comm::Patience;

void wait_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

Watchdog::Options options(std::atomic<int>& ended, double seconds) {
  Watchdog::Options o;
  o.seconds = seconds;
  o.tick_seconds = 0.005;
  o.grace_seconds = 0;
  o.end = [&ended] { ++ended; };
  return o;
}

bool ends(std::atomic<int>& ended) {
  for (int i = 0; i < 2000 && ended == 0; ++i) wait_ms(5);
  return ended == 1;
}

TEST(Watchdog, EndsAJobThatStandsStill) {
  std::atomic<int> ended = 0;
  comm::enter_phase("optimizer step", Patience::step, 3);
  const Watchdog dog(options(ended, 0.05));
  EXPECT_TRUE(ends(ended));
  comm::enter_phase("idle", Patience::none);
}

TEST(Watchdog, WaitsForEverForWorkAndWhenItIsOff) {
  std::atomic<int> ended = 0;
  {
    comm::enter_phase("waiting for a point", Patience::none);
    const Watchdog dog(options(ended, 0.01));
    wait_ms(200);
  }
  {
    comm::enter_phase("optimizer step", Patience::step, 3);
    const Watchdog dog(options(ended, 0));
    wait_ms(200);
  }
  comm::enter_phase("idle", Patience::none);
  EXPECT_EQ(ended, 0);
}

TEST(Watchdog, TheConfigsDeadlineCountsFromWhenItIsKnown) {
  std::atomic<int> ended = 0;
  comm::enter_phase("optimizer step", Patience::step, 3);
  Watchdog dog(options(ended, 3600));
  wait_ms(50);
  EXPECT_EQ(ended, 0);
  dog.configure(0.02, {});
  EXPECT_TRUE(ends(ended));
  comm::enter_phase("idle", Patience::none);
}

// Each collective is a sign of life, and long phases get ten deadlines. The time is counted in the
// watchdog's own turns, so a machine that is busy only makes it more patient.
TEST(Watchdog, SignsOfLifeCount) {
  std::atomic<int> ended = 0;
  comm::enter_phase("optimizer step", Patience::step, 3);
  const Watchdog dog(options(ended, 2.0));
  for (int i = 0; i < 20; ++i) {
    wait_ms(5);
    const comm::CollectiveNote note("all-reduce", 7);
  }
  EXPECT_EQ(ended, 0);
  const auto activity = comm::current_activity();
  EXPECT_STREQ(activity.collective, "all-reduce");
  EXPECT_FALSE(activity.inside);
  EXPECT_NE(activity.describe().find("optimizer step (3)"), std::string::npos);
  EXPECT_NE(activity.describe().find("of 7 elements"), std::string::npos);
  {
    const comm::CollectiveNote outer("all-gather", 9);
    const comm::CollectiveNote inner("broadcast", 1);
    EXPECT_EQ(comm::current_activity().collectives, activity.collectives + 1) << "nested: one";
    EXPECT_NE(comm::current_activity().describe().find("inside all-gather"), std::string::npos);
  }
  comm::enter_phase("idle", Patience::none);
}

TEST(Watchdog, NoticesANeighboursDeath) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char c = 0;
    const auto n = read(pipe_ends[0], &c, 1);
    _exit(n == 1 ? 0 : 1);
  }
  std::atomic<int> ended = 0;
  auto o = options(ended, 0);
  // As in a job: the watchdog is there before its neighbours and their roles are known.
  Watchdog dog(std::move(o));
  dog.watch_over({{2, "", host_name(), child, process_start(child)}});
  wait_ms(100);
  EXPECT_EQ(ended, 0);
  ASSERT_EQ(write(pipe_ends[1], "x", 1), 1);
  EXPECT_TRUE(ends(ended)) << "nobody has collected it, but it is dead";
  int status = 0;
  waitpid(child, &status, 0);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace straq::comm
