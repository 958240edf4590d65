#include "results/results.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/results/golden.h"

namespace straq::results {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

const Run& find(const Results& results, const std::string& point) {
  for (const auto* run : results.runs()) {
    if (run->point == point) return *run;
  }
  throw std::runtime_error("no point " + point);
}

TEST(Results, EveryPointIsThereInTheIndexsOrderWithItsState) {
  TemporaryFolder root;
  const Results r = read_results(golden::make(root));
  ASSERT_EQ(r.experiments.size(), 1u);
  EXPECT_EQ(r.name, "results");
  EXPECT_EQ(r.experiments[0].name, "gamma");
  std::vector<std::string> states;
  for (const auto* run : r.runs()) states.push_back(run->point + ":" + to_word(run->state));
  EXPECT_EQ(states, (std::vector<std::string>{"g80:done", "g90-1:done", "g90-2:done", "g99:failed",
                                              "half:unfinished", "bad:done", "later:not started"}));
  EXPECT_EQ(find(r, "g99").reason, "diverged at step 7 <script>alert(1)</script>");
  EXPECT_EQ(find(r, "g99").missing, (std::vector<std::string>{"provenance.json", "metrics.jsonl",
                                                              "predictions", "evaluation.json"}));
  EXPECT_TRUE(find(r, "g80").missing.empty());
  EXPECT_TRUE(find(r, "g80").problems.empty());
}

TEST(Results, ParametersComeFromTheIndexThenFromTheConfig) {
  TemporaryFolder root;
  const Results r = read_results(golden::make(root));
  EXPECT_EQ(find(r, "g90-2").parameter("learn.gamma"), "0.9") << "the config says 0.85";
  EXPECT_EQ(find(r, "g90-2").seed(), "2");
  const Results one = read_results(root.path("results/gamma/g90-2"));
  EXPECT_EQ(find(one, "g90-2").parameter("learn.gamma"), "0.85") << "no index is read for one run";
  EXPECT_EQ(find(one, "g90-2").seed(), "1");
}

TEST(Results, BadFilesAreNamedWithTheirLineAndTheRestIsRead) {
  TemporaryFolder root;
  const Results r = read_results(golden::make(root));
  const auto& half = find(r, "half");
  EXPECT_EQ(half.steps.size(), 3u);
  EXPECT_EQ(half.problems,
            (std::vector<std::string>{
                "results/gamma/half/metrics.jsonl:4: the last line is half-written and left out"}));
  const auto& bad = find(r, "bad");
  EXPECT_EQ(bad.steps.size(), 1u);
  EXPECT_FALSE(bad.evaluation);
  ASSERT_EQ(bad.problems.size(), 2u);
  EXPECT_EQ(bad.problems[0],
            "results/gamma/bad/metrics.jsonl:2: no JSON object with a \"step\"; left out");
  EXPECT_EQ(bad.problems[1].rfind("results/gamma/bad/evaluation.json:", 0), 0u) << bad.problems[1];
}

TEST(Results, AnyLevelCanBeNamed) {
  TemporaryFolder root;
  golden::make(root);
  EXPECT_EQ(read_results(root.path("results/gamma")).runs().size(), 7u);
  EXPECT_EQ(read_results(root.path("results/gamma/")).name, "gamma");
  const Results one = read_results(root.path("results/gamma/g80"));
  ASSERT_EQ(one.runs().size(), 1u);
  EXPECT_EQ(one.runs()[0]->name(), "gamma/g80");
  // results/<group>/<run> without an index, beside an indexed experiment.
  golden::finished_run(root.path("results/demo/small"), 2);
  const Results all = read_results(root.path("results"));
  ASSERT_EQ(all.experiments.size(), 2u);
  EXPECT_EQ(all.experiments[0].name, "demo");
  EXPECT_EQ(all.experiments[0].runs[0].point, "small");
}

TEST(Results, ABrokenIndexIsReportedLineByLine) {
  TemporaryFolder root;
  const std::string e = root.path("results/x");
  golden::finished_run(e + "/a", 2);
  write_file_atomic(e + "/index.csv",
                    "point,state,note\na,done,\"two, \"\"words\"\"\"\nb,done\n../../etc,done,x\n"
                    "a,done,again\n");
  const Results r = read_results(root.path("results"));
  EXPECT_EQ(r.runs().size(), 1u);
  EXPECT_EQ(r.runs()[0]->parameter("note"), "two, \"words\"");
  ASSERT_EQ(r.experiments[0].problems.size(), 3u);
  EXPECT_EQ(r.experiments[0].problems[0],
            "results/x/index.csv:3: 2 fields, expected 3; the line is left out");
  EXPECT_EQ(r.experiments[0].problems[1],
            "results/x/index.csv:4: \"../../etc\" is no point's name; the line is left out");
  EXPECT_EQ(r.experiments[0].problems[2], "results/x/index.csv:5: the point a comes twice");
}

TEST(Results, NothingToReportIsAnError) {
  TemporaryFolder root;
  auto e = error_of([&] { read_results(root.path("absent")); });
  EXPECT_EQ(e->kind(), ErrorKind::input);
  std::filesystem::create_directories(root.path("empty/sub"));
  e = error_of([&] { read_results(root.path("empty")); });
  EXPECT_NE(std::string(e->what()).find("there is no run"), std::string::npos);
}

}  // namespace
}  // namespace straq::results
