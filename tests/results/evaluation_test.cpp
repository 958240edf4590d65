#include "results/rows/evaluation.h"

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "tests/testing.h"

namespace straq::results {
namespace {

using metrics::Evaluation;
using metrics::EvaluationOptions;
using metrics::Prediction;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::vector<Prediction> some_rows() {
  std::vector<Prediction> rows;
  for (int d = 0; d < 6; ++d) {
    for (int i = 0; i < 4; ++i) {
      Prediction p;
      p.dialogue = std::string("d").append(std::to_string(d));
      p.turn = 2 * i + 1;
      p.index = i;
      p.of = 4;
      p.gold = (d + i) % 8;
      p.previous = i == 0 ? -1 : (d + i - 1) % 8;
      p.chosen = (d * i) % 8;
      p.q.assign(8, 0.25 * d);
      p.q[static_cast<std::size_t>(p.chosen)] = 2;
      p.mc_return = d + i;
      rows.push_back(p);
    }
  }
  return rows;
}

Evaluation some_evaluation() {
  const auto rows = some_rows();
  EvaluationOptions o;
  o.bootstrap.replicates = 200;
  o.gamma = 0.85;
  Evaluation e;
  for (int i = 0; i < 8; ++i) e.strategies.push_back({"Strategy " + std::to_string(i), "S"});
  e.splits.emplace_back("test", evaluate_predictions(rows, o));
  e.baselines.emplace_back("test", baseline_reports(rows, rows, o));
  return e;
}

TEST(Evaluation, PiecesFitTogetherAndSurviveTheFile) {
  TemporaryFolder folder;
  const Evaluation e = some_evaluation();
  write_evaluation(folder.path("evaluation.json"), e);
  const Evaluation again = read_evaluation(folder.path("evaluation.json"));
  EXPECT_EQ(again.to_json(), e.to_json());
  EXPECT_EQ(again.splits[0].second.strategy.n, 24);
  EXPECT_EQ(again.splits[0].second.intervals.clusters, 6);
  EXPECT_EQ(*again.splits[0].second.value->gamma, 0.85);
  ASSERT_EQ(again.baselines[0].second.size(), 3u);
  EXPECT_EQ(again.baselines[0].second[2].name, "markov1");
}

TEST(Evaluation, ASplitThatStandsAloneHasNoMarkovBaseline) {
  EvaluationOptions o;
  o.bootstrap.replicates = 10;
  const auto reports = baseline_reports({}, some_rows(), o);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].name, "majority");
  EXPECT_EQ(reports[1].name, "repeat_last");
}

TEST(Evaluation, TheSameSeedGivesTheSameIntervals) {
  EXPECT_EQ(some_evaluation().to_json(), some_evaluation().to_json());
}

TEST(Evaluation, BrokenFilesAreNamed) {
  TemporaryFolder folder;
  const std::string path = folder.path("evaluation.json");
  const std::string text = some_evaluation().to_json().dump(1) + "\n";

  write_file_atomic(path, text.substr(0, text.size() / 2));
  auto e = error_of([&] { read_evaluation(path); });
  EXPECT_EQ(std::string(e->what()).rfind(path + ":", 0), 0u) << e->what();
  EXPECT_NE(std::string(e->what()).find("not valid JSON"), std::string::npos);

  auto newer = some_evaluation().to_json();
  newer["format"] = 2;
  write_file_atomic(path, newer.dump());
  e = error_of([&] { read_evaluation(path); });
  EXPECT_NE(std::string(e->what()).find("its format is 2"), std::string::npos) << e->what();

  auto other = some_evaluation().to_json();
  other["splits"]["test"]["strategy"].erase("q");
  write_file_atomic(path, other.dump());
  e = error_of([&] { read_evaluation(path); });
  EXPECT_EQ(std::string(e->what()), path + ": splits.test.strategy: \"q\" is missing");

  auto fewer = some_evaluation().to_json();
  fewer["strategies"].erase(7);
  write_file_atomic(path, fewer.dump());
  error_of([&] { read_evaluation(path); });
}

}  // namespace
}  // namespace straq::results
