#include "coordinate/sweep.h"

#include <gtest/gtest.h>

#include <tuple>

#include "coordinate/experiment.h"
#include "coordinate/run_folder.h"
#include "core/files.h"
#include "tests/testing.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

TEST(Sweep, GridTimesSeedsInAFixedOrder) {
  const auto points =
      expand_points(config::parse_yaml("name: x\nseed: 9\nsweep: {grid: {learn.gamma: [0, 0.85], "
                                       "model.shape: [configs/shapes/tiny.yaml]}, "
                                       "seeds: [1, 2]}\n",
                                       "s.yaml"));
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[0].name, "gamma-0_shape-tiny_seed-1");
  EXPECT_EQ(points[1].name, "gamma-0_shape-tiny_seed-2");
  EXPECT_EQ(points[2].name, "gamma-0.85_shape-tiny_seed-1");
  EXPECT_EQ(points[2].config.find("learn")->find("gamma")->scalar, "0.85");
  EXPECT_EQ(points[1].config.find("seed")->scalar, "2");
  EXPECT_EQ(points[0].config.find("sweep"), nullptr);
  EXPECT_EQ(points[3].parameters.back().second, "2");
}

TEST(Sweep, WithoutASweepSectionThereIsOnePoint) {
  const auto points = expand_points(config::parse_yaml("name: x\nseed: 9\n", "s.yaml"));
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].name, "seed-9");
}

TEST(Sweep, BadGridsNameTheirKey) {
  for (const char* text : {"sweep: {grid: {learn.gamma: 0.5}}", "sweep: {grid: {learn.gamma: []}}",
                           "sweep: {grid: {learn.gamma: [[1]]}}"}) {
    const auto e = error_of([&] { expand_points(config::parse_yaml(text, "s.yaml")); });
    ASSERT_TRUE(e) << text;
    EXPECT_NE(std::string(e->what()).find("learn.gamma"), std::string::npos);
    EXPECT_NE(std::string(e->what()).find("s.yaml:1"), std::string::npos);
  }
  const auto twice = error_of([] {
    expand_points(config::parse_yaml("sweep: {grid: {learn.gamma: [0.5, 0.5]}}", "s.yaml"));
  });
  ASSERT_TRUE(twice);
  EXPECT_NE(std::string(twice->what()).find("gamma-0.5_seed-1"), std::string::npos);
}

TEST(Sweep, IndexTellsEveryPointsState) {
  TemporaryFolder folder;
  const auto points = expand_points(
      config::parse_yaml("sweep: {grid: {learn.gamma: [0, 0.5, 0.8, 0.9]}}", "s.yaml"));
  RunFolder(folder.path(points[0].name)).finish();
  RunFolder(folder.path(points[1].name)).fail("diverged, at step 12\n  hint: lower learn.lr");
  write_index(folder.path(), points, {points[2].name});
  EXPECT_EQ(read_file(folder.path("index.csv")),
            "point,state,learn.gamma,seed,reason\n"
            "gamma-0_seed-1,done,0,1,\n"
            "gamma-0.5_seed-1,failed,0.5,1,\"diverged, at step 12\"\n"
            "gamma-0.8_seed-1,running,0.8,1,\n"
            "gamma-0.9_seed-1,missing,0.9,1,\n");
}

TEST(RunFolder, AFinishedRunIsKeptAndAnotherConfigRefused) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\nresults: a\nlearn: {gamma: 0.5}\n", "c.yaml");
  EXPECT_FALSE(run.done_with(config));
  run.begin(config);
  EXPECT_FALSE(run.done_with(config));
  run.finish();
  EXPECT_TRUE(run.done_with(config));
  // Where results land and on how many ranks changes nothing in them.
  EXPECT_TRUE(run.done_with(config::parse_yaml(
      "name: x\nresults: b\nlearn: {gamma: 0.5}\nroles: {learners: 3}\n", "c.yaml")));
  const auto e = error_of([&] {
    run.done_with(config::parse_yaml("name: x\nresults: a\nlearn: {gamma: 0.9}\n", "c.yaml"));
  });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("another config"), std::string::npos);
}

// A run of a version that knew fewer keys counts by what its keys mean today.
TEST(RunFolder, AFinishedRunOfAnOlderVersionIsStillTheSameRun) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  run.begin(config::parse_yaml("name: x\nlearn: {gamma: 0.5}\n", "c.yaml"));
  run.finish();
  const auto now =
      config::dump(read_experiment(config::parse_yaml("name: x\nlearn: {gamma: 0.5}\n", "c.yaml")));
  EXPECT_TRUE(run.done_with(now));
}

TEST(RunFolder, GoingOnKeepsTheNumbersUpToTheCheckpoint) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\n", "c.yaml");
  run.begin(config);
  const std::string lines = "{\"step\":1}\n{\"step\":2}\n";
  write_file_atomic(run.file("metrics.jsonl"), lines + "{\"step\":3}\n{\"st");
  write_file_atomic(run.file("evaluations.jsonl"), "{\"step\":3}\n");
  run.begin(config, 2);
  EXPECT_EQ(read_file(run.file("metrics.jsonl")), lines);
  EXPECT_EQ(read_file(run.file("evaluations.jsonl")), "");
  run.begin(config);
  EXPECT_FALSE(std::filesystem::exists(run.file("metrics.jsonl")));
}

TEST(RunFolder, LinesAfterABrokenOneAreNotTrusted) {
  TemporaryFolder folder;
  const std::string path = folder.path("m.jsonl");
  for (const auto& [text, kept, last] :
       {std::tuple{"{\"step\":1}\nrubbish\n{\"step\":2}\n", "{\"step\":1}\n", 1},
        {"{\"step\":1}\n{\"step\":2}", "{\"step\":1}\n", 1},
        {"", "", 0},
        {"{\"step\":5}\n{\"step\":6}\n", "{\"step\":5}\n", 5}}) {
    write_file_atomic(path, text);
    EXPECT_EQ(cut_after(path, 5), last);
    EXPECT_EQ(read_file(path), kept);
  }
}

TEST(RunFolder, BeginClearsWhatAnUnfinishedAttemptLeft) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  run.fail("boom");
  write_file_atomic(run.predictions("test"), "{}");
  run.begin(config::parse_yaml("name: x\n", "c.yaml"));
  EXPECT_FALSE(std::filesystem::exists(run.file("FAILED")));
  EXPECT_FALSE(std::filesystem::exists(run.predictions("test")));
}

}  // namespace
}  // namespace straq::coordinate
