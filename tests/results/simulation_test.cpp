// simulation.json: what is written reads back, and what is no such file is refused by name.
#include "results/rows/simulation.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/files/files.h"
#include "results/results.h"
#include "tests/testing.h"

namespace straq::results {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

Simulation made() {
  Simulation s;
  s.dialogues = 500;
  s.seed = 7;
  s.discounted_return = {3.25, 0.125};
  s.value = {3.5, 0.02};
  s.reference = {3.75, 0.01};
  s.below_reference = {0.25, 0.015};
  s.exact = {{"optimum", 4.0}, {"supporter", 2.5}};
  s.outcomes = {{"settled", 400}, {"left", 20}, {"out_of_turns", 80}};
  s.decisions = 7.5;
  s.q_gamma = 0.95;
  s.same_units = true;
  QError e;
  e.states = 12;
  e.mean_absolute = 0.5;
  e.spearman = 0.75;
  s.q = {{"data", e}};
  s.points = {{"action", "Question", 3, 17, 1.5, 1.25}};
  return s;
}

TEST(SimulationFile, ReadsBackAsItWasWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path("simulation.json");
  write_simulation(path, made());
  const Simulation back = read_simulation(path);
  EXPECT_EQ(back.dialogues, 500);
  EXPECT_EQ(back.seed, 7u);
  EXPECT_EQ(back.value.mean, 3.5);
  EXPECT_EQ(back.below_reference.standard_error, 0.015);
  EXPECT_EQ(back.exact, made().exact);
  EXPECT_EQ(back.outcomes, made().outcomes);
  ASSERT_EQ(back.q.size(), 1u);
  EXPECT_EQ(back.q[0].first, "data");
  EXPECT_EQ(back.q[0].second.spearman, 0.75);
  EXPECT_FALSE(back.q[0].second.within);
  ASSERT_EQ(back.points.size(), 1u);
  EXPECT_EQ(back.points[0].strategy, "Question");
  EXPECT_EQ(back.points[0].learned, 1.25);
  EXPECT_NEAR(*back.share(), 0.875, 1e-12);
  EXPECT_EQ(back.exact_return("supporter"), 2.5);
  EXPECT_FALSE(back.exact_return("nobody"));
  write_simulation(folder.path("again.json"), back);
  EXPECT_EQ(read_file(folder.path("again.json")), read_file(path));
}

TEST(SimulationFile, OfAWorldWithoutAGainHasNoShare) {
  Simulation s = made();
  s.exact = {{"optimum", 0.0}};
  EXPECT_FALSE(s.share());
  s.exact.clear();
  EXPECT_FALSE(s.share());
}

TEST(SimulationFile, WhatIsNoneIsRefusedWithFileAndKey) {
  TemporaryFolder folder;
  const std::string path = folder.path("simulation.json");
  const auto message = [&](const std::string& text) {
    write_file_atomic(path, text);
    const auto e = error_of([&] { read_simulation(path); });
    return e ? e->full() : std::string();
  };
  EXPECT_NE(message("{").find("simulation.json"), std::string::npos);
  EXPECT_NE(message(R"({"format": 1})").find("return_gamma"), std::string::npos);
  EXPECT_NE(message(R"({"format": 99})").find("straq evaluate --simulator"), std::string::npos);
}

TEST(SimulationFile, IsPartOfARunAndAProblemWhereItCannotBeRead) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("x/seed-1/config.yaml"), "seed: 1\n");
  write_simulation(folder.path("x/seed-1/simulation.json"), made());
  const Results good = read_results(folder.path());
  ASSERT_TRUE(good.runs()[0]->simulation);
  EXPECT_EQ(good.runs()[0]->simulation->decisions, 7.5);
  write_file_atomic(folder.path("x/seed-1/simulation.json"), "[]");
  const Results bad = read_results(folder.path());
  EXPECT_FALSE(bad.runs()[0]->simulation);
  ASSERT_FALSE(bad.runs()[0]->problems.empty());
  EXPECT_NE(bad.runs()[0]->problems[0].find("simulation.json"), std::string::npos);
}

}  // namespace
}  // namespace straq::results
