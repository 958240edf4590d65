#include "experiment/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "core/files/files.h"
#include "experiment/experiment.h"
#include "tests/testing.h"

namespace straq::experiment {
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
}  // namespace
}  // namespace straq::experiment
