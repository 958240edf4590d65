#include "coordinate/sweep.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <tuple>

#include "coordinate/experiment.h"
#include "coordinate/failure.h"
#include "coordinate/run_folder.h"
#include "coordinate/run_lock.h"
#include "coordinate/sweep_state.h"
#include "core/files.h"
#include "core/hash.h"
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

// Ten keys of ten values each would fill the memory before anybody could say so.
TEST(Sweep, MorePointsThanAnybodyRunsAreRefused) {
  std::string text = "sweep:\n  grid:\n";
  for (int i = 0; i < 10; ++i)
    text += "    learn.k" + std::to_string(i) + ": [0,1,2,3,4,5,6,7,8,9]\n";
  const auto e = error_of([&] { expand_points(config::parse_yaml(text, "s.yaml")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("more than 100000 points"), std::string::npos) << e->what();
}

TEST(Sweep, AWrongSeedIsFoundWhereItStands) {
  const auto points =
      expand_points(config::parse_yaml("name: x\nsweep:\n  seeds: [1, two]\n", "s.yaml"));
  ASSERT_EQ(points.size(), 2u);
  const auto e = error_of([&] { read_experiment(points[1].config); });
  ASSERT_TRUE(e);
  EXPECT_EQ(std::string(e->what()).rfind("s.yaml:3: seed: expected a whole number", 0), 0u)
      << e->what();
}

TEST(Sweep, ListsGoInStepAndMeetEveryPointOfTheGrid) {
  const auto points = expand_points(config::parse_yaml(
      "sweep:\n  grid: {learn.gamma: [0, 0.9]}\n"
      "  lists: {model.from: [m/Llama-3.2-1B, m/Llama-3.2-3B], learn.micro_tokens: [8192, 4096]}\n",
      "s.yaml"));
  ASSERT_EQ(points.size(), 4u);
  EXPECT_EQ(points[0].name, "gamma-0_from-Llama-3.2-1B_seed-1");
  EXPECT_EQ(points[1].name, "gamma-0_from-Llama-3.2-3B_seed-1");
  EXPECT_EQ(points[3].config.find("model")->find("from")->scalar, "m/Llama-3.2-3B");
  EXPECT_EQ(points[3].config.find("learn")->find("gamma")->scalar, "0.9");
  const auto unequal = error_of([] {
    expand_points(
        config::parse_yaml("sweep:\n  lists: {learn.gamma: [0, 1], learn.lr: [1.0e-3]}", "s.yaml"));
  });
  EXPECT_NE(unequal->full().find("s.yaml:2"), std::string::npos);
  EXPECT_NE(unequal->full().find("learn.lr has 1 values"), std::string::npos);
}

// A figure needs every point's value of every parameter, also of those that a point leaves alone.
TEST(Sweep, ExplicitPointsHaveTheConfigsValuesForWhatTheyDoNotSet) {
  const auto points =
      expand_points(config::parse_yaml("learn: {lr: 1.0e-3}\nsweep: {points: [{learn.gamma: 0.5}, "
                                       "{name: low rate, learn.lr: 1.0e-5}], seeds: [3]}",
                                       "s.yaml"));
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].name, "gamma-0.5_seed-3");
  EXPECT_EQ(points[1].name, "low-rate_seed-3");
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(points[0].parameters,
            (Parameters{{"learn.gamma", "0.5"}, {"learn.lr", "1.0e-3"}, {"seed", "3"}}));
  EXPECT_EQ(points[1].parameters,
            (Parameters{{"learn.gamma", "0.85"}, {"learn.lr", "1.0e-5"}, {"seed", "3"}}));
}

TEST(Sweep, KeysThatEndAlikeAreNamedInFull) {
  const auto points = expand_points(
      config::parse_yaml("sweep: {grid: {learn.lr: [1.0e+30], pretrain.lr: [1]}}", "s.yaml"));
  EXPECT_EQ(points[0].name, "learn.lr-1.0e30_pretrain.lr-1_seed-1");
}

TEST(Sweep, WhatWouldRunAPointTwiceOrMixPointsIsRefused) {
  for (const auto& [text, words] :
       {std::pair{"{grid: {learn.gamma: [0.5, 0.50]}}", "same settings"},
        {"{grid: {learn.gamma: [0.5]}, points: [{learn.gamma: 0.5}]}", "same settings"},
        {"{points: [{name: a, learn.gamma: 0}, {name: a, learn.gamma: 1}]}", "share the folder"},
        {"{grid: {learn.gamma: [1]}, lists: {learn.gamma: [1]}}", "in the grid and in the lists"},
        {"{grid: {seed: [1, 2]}}", "sweep.seeds"},
        {"{grid: {name: [a, b]}}", "the same for all points"},
        {"{grid: {roles.learners: [1, 2]}}", "the same for all points"},
        {"{points: [{}]}", "a map of keys"},
        {"{seeds: 3}", "sweep.seeds"}}) {
    const auto e = error_of(
        [&] { expand_points(config::parse_yaml(std::string("sweep: ") + text, "s.yaml")); });
    ASSERT_TRUE(e) << text;
    EXPECT_NE(e->full().find(words), std::string::npos) << e->full();
    EXPECT_EQ(e->exit_code(), 2);
  }
}

TEST(Sweep, AMistakeInAPointsValueIsFoundWhereItStands) {
  const auto points = expand_points(
      config::parse_yaml("name: x\nsweep:\n  grid:\n    learn.gama: [0.5]\n", "s.yaml"));
  const auto e = error_of([&] { read_experiment(points[0].config); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("s.yaml:4"), std::string::npos) << e->full();
  EXPECT_NE(e->full().find("learn.gamma"), std::string::npos) << e->full();
}

TEST(Sweep, IndicesAreCheckedAndSorted) {
  EXPECT_EQ(parse_indices("3", 8, "--point"), (std::vector<std::size_t>{3}));
  EXPECT_EQ(parse_indices("6-7,0,2-3,3", 8, "--points"), (std::vector<std::size_t>{0, 2, 3, 6, 7}));
  for (const char* text :
       {"8", "", "1,", "a", "3-1", "1-", "-1", "1;2", "1-9", "99999999999999999999"}) {
    const auto e = error_of([&] { parse_indices(text, 8, "--points"); });
    ASSERT_TRUE(e) << text;
    EXPECT_NE(e->full().find("from 0 to 7"), std::string::npos);
  }
}

// The shipped sweeps are what their comments say.
TEST(Sweep, ShippedConfigsExpand) {
  const std::filesystem::path old = std::filesystem::current_path();
  std::filesystem::current_path(straq::testing::source_path(""));
  for (const auto& [file, count] :
       {std::pair{"gamma_small", 8u}, {"paper_sensitivity", 63u}, {"small_sensitivity", 24u}}) {
    const auto points =
        expand_points(config::load_config(std::string("configs/sweeps/") + file + ".yaml"));
    EXPECT_EQ(points.size(), count) << file;
    for (const auto& p : points) EXPECT_NO_THROW(read_experiment(p.config)) << p.name;
  }
  std::filesystem::current_path(old);
}

TEST(Sweep, IndexTellsEveryPointsState) {
  TemporaryFolder folder;
  const auto points = expand_points(
      config::parse_yaml("sweep: {grid: {learn.gamma: [0, 0.5, 0.8, 0.9]}}", "s.yaml"));
  RunFolder(folder.path(points[0].name)).finish();
  RunFolder(folder.path(points[1].name))
      .fail({FailureKind::diverged, ErrorKind::diverged,
             "diverged, at step 12\n  hint: lower learn.lr"});
  write_index(folder.path(), points, {points[2].name});
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
  RunFolder(run).fail({FailureKind::other, ErrorKind::failure, "an earlier attempt"});
  {
    const RunLock lock(run);
    EXPECT_EQ(state_of(folder.path(), points[0]), PointState::running);
    const auto status = sweep_status(folder.path(), points).front();
    ASSERT_TRUE(status.holder);
    EXPECT_EQ(status.holder->pid, ::getpid());
    RunFolder(run).finish();
    EXPECT_EQ(state_of(folder.path(), points[0]), PointState::done) << "the lock goes later";
  }
  std::filesystem::remove(run + "/DONE");
  EXPECT_EQ(state_of(folder.path(), points[0]), PointState::missing);
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
        RunFolder(folder.path(points[i].name)).finish();
        write_index(folder.path(), points);
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
  const RunFolder run(folder.path(points[0].name));
  EXPECT_FALSE(sweep_status(folder.path(), points).front().seconds_left());
  std::string metrics, timings;
  for (int i = 1; i <= 30; ++i) {
    metrics += "{\"step\":" + std::to_string(i) + "}\n";
    timings += "{\"step\":1,\"seconds\":" + std::string(i <= 10 ? "100" : "2") + "}\n";
  }
  write_file_atomic(run.file("metrics.jsonl"), metrics + "{\"step\":");
  write_file_atomic(run.file("timings.jsonl"), timings);
  write_file_atomic(run.file("provenance.json"), "{\"steps\": 80}");
  const auto status = sweep_status(folder.path(), points).front();
  EXPECT_EQ(status.step, 30);
  EXPECT_EQ(status.total, 80);
  EXPECT_DOUBLE_EQ(status.seconds_left().value_or(0), 100) << "by the last twenty steps";
  const auto json = status_json(folder.path(), {status});
  EXPECT_EQ(json["counts"]["missing"], 1);
  EXPECT_EQ(json["points"][0]["seconds_left"], 100);
}

TEST(Failure, EveryCauseHasItsWord) {
  EXPECT_EQ(as_failure(std::bad_alloc()).failure(), FailureKind::out_of_memory);
  // As libtorch's CPU allocator throws it; tests/faults/sweep_test.py asks for a real one.
  const c10::Error torch(
      {__func__, __FILE__, 1},
      "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes");
  const auto failure = as_failure(torch);
  EXPECT_EQ(failure.failure(), FailureKind::out_of_memory);
  EXPECT_EQ(failure.exit_code(), 1);
  EXPECT_EQ(failure.full().find("Exception raised from"), std::string::npos)
      << "no stack trace: " << failure.full();
  EXPECT_EQ(as_failure(c10::Error({__func__, __FILE__, 1}, "shapes differ")).failure(),
            FailureKind::other);
  EXPECT_EQ(as_failure(Error(ErrorKind::input, "x")).failure(), FailureKind::bad_input);
  EXPECT_EQ(as_failure(Error(ErrorKind::failure, "x")).failure(), FailureKind::other);
  EXPECT_EQ(as_failure(Error(ErrorKind::diverged, "x")).failure(), FailureKind::diverged);
  const PointFailure shard(FailureKind::bad_shard, Error(ErrorKind::input, "x"));
  const Error& sliced = shard;
  EXPECT_EQ(as_failure(sliced).failure(), FailureKind::bad_shard);
  EXPECT_EQ(as_failure(std::runtime_error("x")).failure(), FailureKind::other);
}

TEST(Failure, ANoteIsReadAsItWasWritten) {
  const FailureNote note{FailureKind::non_finite_loss, ErrorKind::diverged,
                         "diverged: at step 3\n  hint: lower learn.lr"};
  const auto read = FailureNote::parse(note.to_text());
  EXPECT_EQ(read.kind, note.kind);
  EXPECT_EQ(read.error, note.error);
  EXPECT_EQ(read.reason, note.reason);
  EXPECT_EQ(read.first_line(), "diverged: at step 3");
  const auto old = FailureNote::parse("a disk was full\n  hint: make room\n");
  EXPECT_EQ(old.kind, FailureKind::other);
  EXPECT_EQ(old.reason, "a disk was full\n  hint: make room");
}

RunInputs inputs_of(const std::string& corpus) {
  RunInputs in;
  in.add("data.train", sha256_hex(corpus), "train.txt");
  return in;
}

// A finished run as it lies in its folder.
void finish_run(const RunFolder& run, const config::Value& config, const RunInputs& inputs) {
  run.begin(config);
  write_file_atomic(run.file("provenance.json"),
                    nlohmann::ordered_json{{"inputs", inputs.to_json()}}.dump());
  run.finish();
}

TEST(RunFolder, AFinishedRunIsKeptAndOneOfOtherInputsRefusedByName) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\nresults: a\n", "c.yaml");
  EXPECT_FALSE(run.done_with(config, inputs_of("a")));
  run.begin(config);
  EXPECT_FALSE(run.done_with(config, inputs_of("a")));
  finish_run(run, config, inputs_of("a"));
  // Its inputs alone count.
  EXPECT_TRUE(run.done_with(config::parse_yaml("name: x\nresults: b\n", "c.yaml"), inputs_of("a")));
  const auto e = error_of([&] { run.done_with(config, inputs_of("b")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("train.txt has changed since"), std::string::npos);
  EXPECT_NE(e->hint().find("--continue-anyway"), std::string::npos);
}

TEST(RunFolder, WhatIsTakenAnywayIsNotedOnce) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\n", "c.yaml");
  finish_run(run, config, inputs_of("a"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(run.done_with(config, inputs_of("b"), /*anyway=*/true));
    const auto j = nlohmann::json::parse(read_file(run.file("provenance.json")));
    ASSERT_EQ(j.at("continued_anyway").size(), 1u);
    EXPECT_EQ(j["continued_anyway"][0]["changes"][0], "train.txt has changed since");
  }
}

// A run of a version that noted no inputs counts by what its config's keys mean today.
TEST(RunFolder, AFinishedRunOfAnOlderVersionIsStillTheSameRun) {
  TemporaryFolder folder;
  const RunFolder run(folder.path("p"));
  run.begin(config::parse_yaml("name: x\nlearn: {gamma: 0.5}\n", "c.yaml"));
  run.finish();
  const auto dumped = [](const char* text) {
    return config::dump(read_experiment(config::parse_yaml(text, "c.yaml")));
  };
  const auto now = dumped("name: x\nlearn: {gamma: 0.5}\n");
  EXPECT_TRUE(run.done_with(now, inputs_of("a")));
  EXPECT_TRUE(run.done_with(
      dumped("name: x\nlearn: {gamma: 0.5, micro_tokens: 100}\nroles: {learners: 3}\n"),
      inputs_of("a")));
  const auto e =
      error_of([&] { run.done_with(dumped("name: x\nlearn: {gamma: 0.9}\n"), inputs_of("a")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("its config was another"), std::string::npos);
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
  run.fail({FailureKind::other, ErrorKind::failure, "boom"});
  write_file_atomic(run.predictions("test"), "{}");
  run.begin(config::parse_yaml("name: x\n", "c.yaml"));
  EXPECT_FALSE(std::filesystem::exists(run.file("FAILED")));
  EXPECT_FALSE(std::filesystem::exists(run.predictions("test")));
}

}  // namespace
}  // namespace straq::coordinate
