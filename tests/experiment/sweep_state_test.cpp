// Where points stand, as their folders tell.
#include "results/sweep_state.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files/files.h"
#include "experiment/sweep.h"
#include "results/run_folder.h"
#include "results/run_lock.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

using straq::testing::TemporaryFolder;

TEST(Sweep, IndexTellsEveryPointsState) {
  TemporaryFolder folder;
  const auto points = expand_points(
      config::parse_yaml("sweep: {grid: {learn.gamma: [0, 0.5, 0.8, 0.9]}}", "s.yaml"));
  results::RunFolder(folder.path(points[0].name)).finish();
  results::RunFolder(folder.path(points[1].name))
      .fail({results::FailureKind::diverged, ErrorKind::diverged,
             "diverged, at step 12\n  hint: lower learn.lr"});
  results::write_index(folder.path(), points, {points[2].name});
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,seed,kind,reason\n"
            "gamma-0_seed-1,done,0,1,,\n"
            "gamma-0.5_seed-1,failed,0.5,1,diverged,\"diverged, at step 12\"\n"
            "gamma-0.8_seed-1,running,0.8,1,,\n"
            "gamma-0.9_seed-1,missing,0.9,1,,\n");
}

// Another job's point is running while its lock lives, and what its folder says afterwards.
TEST(Sweep, AHeldFolderIsRunningForEverybody) {
  TemporaryFolder folder;
  const auto points = expand_points(config::parse_yaml("name: x", "s.yaml"));
  const std::string run = folder.path(points[0].name);
  results::RunFolder(run).fail(
      {results::FailureKind::other, ErrorKind::failure, "an earlier attempt"});
  {
    const results::RunLock lock(run);
    EXPECT_EQ(results::state_of(folder.path(), points[0]), results::PointState::running);
    const auto status = results::sweep_status(folder.path(), points).front();
    ASSERT_TRUE(status.holder);
    EXPECT_EQ(status.holder->pid, ::getpid());
    results::RunFolder(run).finish();
    EXPECT_EQ(results::state_of(folder.path(), points[0]), results::PointState::done)
        << "the lock goes later";
  }
  std::filesystem::remove(run + "/DONE");
  EXPECT_EQ(results::state_of(folder.path(), points[0]), results::PointState::missing);
}

// Many writers, each after a change of its own: whoever is last, the file has every change.
TEST(Sweep, WritersOfTheIndexDoNotUndoEachOther) {
  TemporaryFolder folder;
  std::string text = "sweep: {seeds: [0";
  for (int i = 1; i < 24; ++i) text.append(",").append(std::to_string(i));
  const auto points = expand_points(config::parse_yaml(text + "]}", "s.yaml"));
  std::vector<pid_t> children;
  for (int w = 0; w < 4; ++w) {
    const pid_t child = fork();
    if (child == 0) {
      for (std::size_t i = static_cast<std::size_t>(w); i < points.size(); i += 4) {
        results::RunFolder(folder.path(points[i].name)).finish();
        results::write_index(folder.path(), points);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const std::string index = read_file(folder.path("index.csv"));
  EXPECT_EQ(std::count(index.begin(), index.end(), '\n'), 25);
  EXPECT_EQ(index.find("missing"), std::string::npos) << index;
}

TEST(Sweep, StatusTellsStepAndTimeLeft) {
  TemporaryFolder folder;
  const auto points = expand_points(config::parse_yaml("name: x", "s.yaml"));
  const results::RunFolder run(folder.path(points[0].name));
  EXPECT_FALSE(results::sweep_status(folder.path(), points).front().seconds_left());
  std::string metrics, timings;
  for (int i = 1; i <= 30; ++i) {
    metrics += "{\"step\":" + std::to_string(i) + "}\n";
    timings += "{\"step\":1,\"seconds\":" + std::string(i <= 10 ? "100" : "2") + "}\n";
  }
  write_file_atomic(run.file("metrics.jsonl"), metrics + "{\"step\":");
  write_file_atomic(run.file("timings.jsonl"), timings);
  write_file_atomic(run.file("provenance.json"), "{\"steps\": 80}");
  const auto status = results::sweep_status(folder.path(), points).front();
  EXPECT_EQ(status.step, 30);
  EXPECT_EQ(status.total, 80);
  EXPECT_DOUBLE_EQ(status.seconds_left().value_or(0), 100) << "by the last twenty steps";
  const auto json = results::status_json(folder.path(), {status});
  EXPECT_EQ(json["counts"]["missing"], 1);
  EXPECT_EQ(json["points"][0]["seconds_left"], 100);
}
}  // namespace
}  // namespace straq::experiment
