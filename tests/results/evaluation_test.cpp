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
using straq::testing::source_path;
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

// The recorded run's file is of format 1, as it was written.
TEST(Evaluation, AFileOfFormat1IsReadByTheKeysThatItHas) {
  const std::string path = source_path("results/demo/esconv_small/seed-1/evaluation.json");
  const Evaluation e = read_evaluation(path);
  const auto file = nlohmann::ordered_json::parse(read_file(path));
  ASSERT_EQ(file["format"], 1);
  for (const auto& [split, evaluation] : e.splits) {
    const auto& wanted = file["splits"][split];
    EXPECT_EQ(evaluation.strategy.acc, wanted["strategy"]["acc"]);
    EXPECT_EQ(evaluation.strategy.macro_f1, wanted["strategy"]["q"]);
    EXPECT_EQ(evaluation.strategy.weighted_f1, wanted["strategy"]["weighted_f1"]);
    EXPECT_EQ(evaluation.strategy.bias, wanted["strategy"]["b"]);
    EXPECT_EQ(evaluation.intervals.macro_f1->low, wanted["intervals"]["q"][0]);
    EXPECT_EQ(evaluation.intervals.bias->high, wanted["intervals"]["b"][1]);
  }
  EXPECT_EQ(e.baselines[0].second[0].strategy.macro_f1,
            file["baselines"][e.baselines[0].first]["majority"]["q"]);
  // Written again it is of today's format, and says the same.
  TemporaryFolder folder;
  write_evaluation(folder.path("evaluation.json"), e);
  const auto again = nlohmann::ordered_json::parse(read_file(folder.path("evaluation.json")));
  EXPECT_EQ(again["format"], 2);
  EXPECT_EQ(again["splits"]["test"]["strategy"]["macro_f1"],
            file["splits"]["test"]["strategy"]["q"]);
  EXPECT_FALSE(again["splits"]["test"]["strategy"].contains("q"));
  EXPECT_EQ(read_evaluation(folder.path("evaluation.json")).to_json(), e.to_json());
}

TEST(Evaluation, AFormatsKeysAreItsOwn) {
  TemporaryFolder folder;
  const std::string path = folder.path("evaluation.json");
  auto json = some_evaluation().to_json();
  const auto said = [&] {
    write_file_atomic(path, json.dump());
    const auto e = error_of([&] { read_evaluation(path); });
    return e ? std::string(e->what()) : "";
  };
  json["format"] = 1;
  EXPECT_EQ(said(), path + ": splits.test.strategy: \"q\" is missing");
  json["format"] = 2;
  json["splits"]["test"]["intervals"]["b"] = json["splits"]["test"]["intervals"]["bias"];
  json["splits"]["test"]["intervals"].erase("bias");
  EXPECT_EQ(said(), path + ": splits.test.intervals: \"bias\" is missing");
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
  newer["format"] = 3;
  write_file_atomic(path, newer.dump());
  e = error_of([&] { read_evaluation(path); });
  EXPECT_NE(std::string(e->what()).find("its format is 3, this program reads 1 to 2"),
            std::string::npos)
      << e->what();

  auto other = some_evaluation().to_json();
  other["splits"]["test"]["strategy"].erase("macro_f1");
  write_file_atomic(path, other.dump());
  e = error_of([&] { read_evaluation(path); });
  EXPECT_EQ(std::string(e->what()), path + ": splits.test.strategy: \"macro_f1\" is missing");

  auto fewer = some_evaluation().to_json();
  fewer["strategies"].erase(7);
  write_file_atomic(path, fewer.dump());
  error_of([&] { read_evaluation(path); });
}

}  // namespace
}  // namespace straq::results
