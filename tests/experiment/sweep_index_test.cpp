// index.csv keeps what every job knows, whoever writes it, and is not read anew for each point.
#include "results/sweep_index.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/files/files.h"
#include "experiment/sweep.h"
#include "results/run_folder.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::vector<results::Point> points_of(const std::string& text) {
  return expand_points(config::parse_yaml(text, "s.yaml"));
}

const char* kGammas = "sweep: {grid: {learn.gamma: [0, 0.5]}, seeds: [1, 2]}";

// As a run leaves its folder.
void finish(const TemporaryFolder& folder, const std::string& name, const std::string& config) {
  const results::RunFolder run(folder.path(name));
  run.begin(config::parse_yaml(config, "c.yaml"));
  run.finish();
}

TEST(SweepIndex, AnotherConfigOfTheSameNameKeepsRowsAndParameters) {
  TemporaryFolder folder;
  for (const auto& p : points_of(kGammas)) finish(folder, p.name, "seed: 1\n");
  results::write_index(folder.path(), points_of(kGammas));
  const std::string before = read_file(folder.path("index.csv"));
  // `straq train` with that config leaves the sweep section out: one point.
  finish(folder, "seed-1", "learn: {gamma: 0.85}\nseed: 1\n");
  results::write_index(folder.path(), points_of("seed: 1\nlearn: {gamma: 0.85}"));
  EXPECT_EQ(read_file(folder.path("index.csv")), before + "seed-1,done,0.85,1,,\n");
  results::write_index(folder.path(), points_of(kGammas));
  EXPECT_EQ(read_file(folder.path("index.csv")), before + "seed-1,done,0.85,1,,\n");
}

TEST(SweepIndex, AnotherSweepAddsItsParameters) {
  TemporaryFolder folder;
  for (const auto& p : points_of(kGammas)) finish(folder, p.name, "learn: {lr: 1.0e-3}\nseed: 1\n");
  results::write_index(folder.path(), points_of(kGammas));
  results::write_index(folder.path(),
                       points_of("learn: {gamma: 0.85}\nsweep: {grid: {learn.lr: [1.0e-4]}}"));
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,learn.lr,seed,kind,reason\n"
            "gamma-0_seed-1,done,0,1.0e-3,1,,\n"
            "gamma-0_seed-2,done,0,1.0e-3,2,,\n"
            "gamma-0.5_seed-1,done,0.5,1.0e-3,1,,\n"
            "gamma-0.5_seed-2,done,0.5,1.0e-3,2,,\n"
            "lr-1.0e-4_seed-1,missing,0.85,1.0e-4,1,,\n");
}

// The file of a version that left nothing but index.csv.
TEST(SweepIndex, RowsOfAnOlderVersionStay) {
  TemporaryFolder folder;
  finish(folder, "gamma-0.5_seed-1", "seed: 1\n");
  write_file_atomic(folder.path("index.csv"),
                    "point,state,learn.gamma,seed,kind,reason\n"
                    "gamma-0.5_seed-1,running,0.5,1,,\"says \"\"so\"\", it\nseems\"\n"
                    "gamma-0.7_seed-1,done,0.7,1,,\n"
                    "../elsewhere,done,0.7,1,,\n");
  results::write_index(folder.path(), points_of("seed: 3"));
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,seed,kind,reason\n"
            "seed-3,missing,,3,,\n"
            "gamma-0.5_seed-1,done,0.5,1,,\n")
      << "of what has a folder";
}

TEST(SweepIndex, OfASweepWhoseValuesWereChangedWhatWasRunStays) {
  TemporaryFolder folder;
  results::write_index(folder.path(), points_of(kGammas));
  finish(folder, "gamma-0_seed-1", "seed: 1\n");
  const auto changed = points_of("sweep: {grid: {learn.gamma: [0.9]}, seeds: [1]}");
  results::write_index(folder.path(), changed);
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,seed,kind,reason\n"
            "gamma-0_seed-1,done,0,1,,\n"
            "gamma-0.9_seed-1,missing,0.9,1,,\n");
  fs::remove_all(folder.path("gamma-0_seed-1"));
  results::write_index(folder.path(), changed);
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,seed,kind,reason\n"
            "gamma-0.9_seed-1,missing,0.9,1,,\n");
}

// Points that wait for another sweep are not lost while a run of one point writes.
TEST(SweepIndex, PointsThatWereNotBegunStay) {
  TemporaryFolder folder;
  results::write_index(folder.path(), points_of(kGammas));
  results::write_index(folder.path(), points_of("seed: 1"));
  const std::string index = read_file(folder.path("index.csv"));
  EXPECT_EQ(std::count(index.begin(), index.end(), '\n'), 6) << index;
  EXPECT_NE(index.find("gamma-0.5_seed-2,missing,0.5,2"), std::string::npos) << index;
}

TEST(SweepIndex, TwoSweepsAtOnceLoseNothingOfEachOther) {
  TemporaryFolder folder;
  const std::vector<std::string> sweeps = {
      "sweep: {grid: {learn.gamma: [0, 0.5]}, seeds: [1, 2, 3, 4]}",
      "sweep: {grid: {learn.lr: [1, 2]}, seeds: [1, 2, 3, 4]}", "seed: 7"};
  std::vector<pid_t> children;
  for (const auto& text : sweeps) {
    const pid_t child = fork();
    if (child == 0) {
      const auto points = points_of(text);
      results::SweepIndex index(folder.path(), points);
      index.write({}, {}, true);
      for (const auto& p : points) {
        index.write({p.name}, {}, false);
        results::RunFolder(folder.path(p.name)).finish();
        index.write({}, {p.name}, false);
      }
      index.write({}, {}, true);
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
  EXPECT_EQ(index.rfind("point,state,learn.", 0), 0u) << index;
  EXPECT_EQ(std::count(index.begin(), index.end(), '\n'), 18) << index;
  EXPECT_EQ(index.find("missing"), std::string::npos) << index;
  EXPECT_NE(index.find("learn.gamma"), std::string::npos);
  EXPECT_NE(index.find("learn.lr"), std::string::npos);
}

// Twice the points, twice the folders that are looked at, not four times.
TEST(SweepIndex, LooksAtTheFoldersThatChanged) {
  std::int64_t looks[2] = {};
  for (int size = 0; size < 2; ++size) {
    TemporaryFolder folder;
    std::string text = "sweep: {seeds: [0";
    for (int i = 1; i < 150 * (size + 1); ++i) text.append(",").append(std::to_string(i));
    const auto points = points_of(text + "]}");
    results::SweepIndex index(folder.path(), points);
    index.write({}, {}, true);
    for (const auto& p : points) {
      index.write({p.name}, {p.name}, false);  // begun
      index.write({p.name}, {}, false);        // its first status
      fs::create_directories(folder.path(p.name));
      write_file_atomic(folder.path(p.name + "/DONE"), "");
      index.write({}, {p.name}, false);
    }
    const std::string last = read_file(folder.path("index.csv"));
    EXPECT_EQ(last.find("missing"), std::string::npos);
    index.write({}, {}, true);
    EXPECT_EQ(read_file(folder.path("index.csv")), last);
    looks[size] = index.looks();
    EXPECT_LE(looks[size], 8 * static_cast<std::int64_t>(points.size()));
  }
  EXPECT_LE(looks[1], 2 * looks[0] + 10);
}

TEST(SweepIndex, AnIndexThatCannotBeWrittenIsAnErrorAndThenMadeUpFor) {
  TemporaryFolder folder;
  const auto points = points_of(kGammas);
  fs::create_directories(folder.path("index.csv/in/the/way"));
  results::SweepIndex index(folder.path(), points);
  const auto e = error_of([&] { index.write({}, {}, true); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("index.csv"), std::string::npos) << e->what();
  results::RunFolder(folder.path(points[0].name)).finish();
  fs::remove_all(folder.path("index.csv"));
  index.write({}, {points[0].name}, false);
  EXPECT_NE(read_file(folder.path("index.csv")).find("gamma-0_seed-1,done"), std::string::npos);
}

}  // namespace
}  // namespace straq::experiment
