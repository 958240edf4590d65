// The coordinator's rules: what is due at which step follows from the status alone, whatever the
// clock does; the clock decides on when to save, to stop and how long a lease is.
#include "train/director.h"

#include <gtest/gtest.h>

namespace straq::train {
namespace {

using comm::Stop;

comm::Status status_at(std::int64_t step) {
  comm::Status s;
  s.step = step;
  s.stage_begin = 7;  // the stage before had seven steps
  s.stage_end = s.run_end = 30;
  s.sync_every = 10;
  s.step_seconds = 1e-3;
  return s;
}

TEST(Leases, SyncEveryTenStepsOfAStageAndNeverBeyondIt) {
  EXPECT_FALSE(decide(status_at(7)).sync_target);
  EXPECT_EQ(decide(status_at(7)).run_until, 17);
  EXPECT_TRUE(decide(status_at(17)).sync_target);
  EXPECT_EQ(decide(status_at(17)).run_until, 27);
  EXPECT_TRUE(decide(status_at(27)).sync_target);
  EXPECT_EQ(decide(status_at(27)).run_until, 30);
  EXPECT_FALSE(decide(status_at(30)).sync_target);
}

TEST(Leases, LastSecondsAlsoWhereAStageNeverSyncs) {
  comm::Status s = status_at(7);
  s.sync_every = 0;
  s.stage_end = s.run_end = 1'000'000;
  s.step_seconds = 0;  // nothing is known yet: one step, to measure
  EXPECT_EQ(decide(s).run_until, 8);
  s.step_seconds = 0.5;
  EXPECT_EQ(decide(s).run_until, 7 + 20);
  s.step_seconds = 60;
  EXPECT_EQ(decide(s).run_until, 8);
  EXPECT_FALSE(decide(s).sync_target);
}

// Where the boundaries lie depends on the clock; what happens at a step must not.
TEST(Leases, TheSameStepsAreDueHoweverFastAMachineIs) {
  const auto due_steps = [](double step_seconds) {
    std::vector<std::int64_t> out;
    comm::Status s = status_at(7);
    s.evaluate_every = 4;
    s.step_seconds = step_seconds;
    while (true) {
      const auto d = decide(s);
      if (d.sync_target) out.push_back(s.step);
      if (d.evaluate) out.push_back(-s.step);
      if (d.evaluate) s.evaluated_step = s.step;
      if (s.step == s.stage_end) return out;
      s.step = d.run_until;
    }
  };
  const auto fast = due_steps(1e-6);
  EXPECT_EQ(fast, (std::vector<std::int64_t>{-11, -15, 17, -19, -23, 27, -27, -30}));
  for (const double seconds : {0.0, 0.9, 3.0, 100.0}) EXPECT_EQ(due_steps(seconds), fast);
}

TEST(Leases, ACheckpointIsDueByStepsOfTheRunByTimeAndAtItsEnd) {
  comm::Status s = status_at(20);
  s.checkpoint_every = 20;
  EXPECT_TRUE(decide(s).checkpoint);
  s.checkpoint_step = 20;  // just resumed from it, or just begun
  EXPECT_FALSE(decide(s).checkpoint);
  s.step = 27;
  EXPECT_FALSE(decide(s, 1e9).checkpoint);
  s.checkpoint_seconds = 60;
  EXPECT_FALSE(decide(s, 59).checkpoint);
  EXPECT_TRUE(decide(s, 60).checkpoint);
  s.step = 30;
  EXPECT_TRUE(decide(s).checkpoint);
  s.checkpoint_every = 0, s.checkpoint_seconds = 0;
  EXPECT_FALSE(decide(s).checkpoint);
  EXPECT_EQ(decide(status_at(7)).run_until, 17);
  s = status_at(7);
  s.checkpoint_every = 12;
  EXPECT_EQ(decide(s).run_until, 12);
}

TEST(Leases, ARequestToStopFromAnyRankSavesFirst) {
  comm::Status s = status_at(13);
  EXPECT_EQ(decide(s).stop, Stop::no);
  EXPECT_EQ(decide(s, 0, true).stop, Stop::requested);
  EXPECT_TRUE(decide(s, 0, true).checkpoint);
  s.stop_requested = 1;
  EXPECT_EQ(decide(s).stop, Stop::requested);
  EXPECT_TRUE(decide(s).checkpoint);
  s.checkpoint_step = 13;  // it is saved already
  EXPECT_FALSE(decide(s).checkpoint);
}

TEST(Leases, ABrokenRunIsNotSaved) {
  comm::Status s = status_at(20);
  s.checkpoint_every = 20;
  s.diverged = 1;
  EXPECT_EQ(decide(s, 0, true).stop, Stop::diverged);
  EXPECT_FALSE(decide(s, 0, true).checkpoint);
  s.diverged = 0, s.failed = 1;
  EXPECT_EQ(decide(s, 0, true).stop, Stop::failed);
  EXPECT_FALSE(decide(s, 0, true).checkpoint);
}

TEST(Leases, EarlyStoppingEndsWithACheckpointWhereTheyAreOn) {
  comm::Status s = status_at(19);
  s.satisfied = 1;
  EXPECT_EQ(decide(s).stop, Stop::satisfied);
  EXPECT_FALSE(decide(s).checkpoint);
  s.checkpoint_seconds = 600;
  EXPECT_TRUE(decide(s).checkpoint);
}

}  // namespace
}  // namespace straq::train
