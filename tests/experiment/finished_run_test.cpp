#include "experiment/finished_run.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/files/files.h"
#include "core/hash.h"
#include "experiment/experiment.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

RunInputs inputs_of(const std::string& corpus) {
  RunInputs in;
  in.add("data.train", sha256_hex(corpus), "train.txt");
  return in;
}

// A finished run as it lies in its folder.
void finish_run(const results::RunFolder& run, const config::Value& config,
                const RunInputs& inputs) {
  run.begin(config);
  write_file_atomic(run.file("provenance.json"),
                    nlohmann::ordered_json{{"inputs", inputs.to_json()}}.dump());
  run.finish();
}

TEST(RunFolder, AFinishedRunIsKeptAndOneOfOtherInputsRefusedByName) {
  TemporaryFolder folder;
  const results::RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\nresults: a\n", "c.yaml");
  EXPECT_FALSE(done_with(run, config, inputs_of("a")));
  run.begin(config);
  EXPECT_FALSE(done_with(run, config, inputs_of("a")));
  finish_run(run, config, inputs_of("a"));
  // Its inputs alone count.
  EXPECT_TRUE(
      done_with(run, config::parse_yaml("name: x\nresults: b\n", "c.yaml"), inputs_of("a")));
  const auto e = error_of([&] { done_with(run, config, inputs_of("b")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("train.txt has changed since"), std::string::npos);
  EXPECT_NE(e->hint().find("--continue-anyway"), std::string::npos);
}

TEST(RunFolder, WhatIsTakenAnywayIsNotedOnce) {
  TemporaryFolder folder;
  const results::RunFolder run(folder.path("p"));
  const auto config = config::parse_yaml("name: x\n", "c.yaml");
  finish_run(run, config, inputs_of("a"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(done_with(run, config, inputs_of("b"), /*anyway=*/true));
    const auto j = nlohmann::json::parse(read_file(run.file("provenance.json")));
    ASSERT_EQ(j.at("continued_anyway").size(), 1u);
    EXPECT_EQ(j["continued_anyway"][0]["changes"][0], "train.txt has changed since");
  }
}

// A run of a version that noted no inputs counts by what its config's keys mean today.
TEST(RunFolder, AFinishedRunOfAnOlderVersionIsStillTheSameRun) {
  TemporaryFolder folder;
  const results::RunFolder run(folder.path("p"));
  run.begin(config::parse_yaml("name: x\nlearn: {gamma: 0.5}\n", "c.yaml"));
  run.finish();
  const auto dumped = [](const char* text) {
    return config::dump(read_experiment(config::parse_yaml(text, "c.yaml")));
  };
  const auto now = dumped("name: x\nlearn: {gamma: 0.5}\n");
  EXPECT_TRUE(done_with(run, now, inputs_of("a")));
  EXPECT_TRUE(done_with(
      run, dumped("name: x\nlearn: {gamma: 0.5, micro_tokens: 100}\nroles: {learners: 3}\n"),
      inputs_of("a")));
  const auto e =
      error_of([&] { done_with(run, dumped("name: x\nlearn: {gamma: 0.9}\n"), inputs_of("a")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("its config was another"), std::string::npos);
}

}  // namespace
}  // namespace straq::experiment
