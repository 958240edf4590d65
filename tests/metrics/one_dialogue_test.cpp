// One dialogue says nothing of how dialogues differ: no interval, in memory and in evaluation.json.
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/json/json_fields.h"
#include "metrics/evaluation.h"
#include "metrics/paired.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

std::vector<Prediction> rows_of(int dialogues) {
  std::vector<Prediction> out;
  for (int d = 0; d < dialogues; ++d) {
    for (int i = 0; i < 6; ++i) {
      Prediction p;
      p.dialogue = "d" + std::to_string(d);
      p.turn = 2 * i + 1;
      p.index = i;
      p.of = 6;
      p.gold = i % 3;
      p.chosen = (i + d) % 2 == 0 ? p.gold : (p.gold + 1) % 3;
      out.push_back(p);
    }
  }
  return out;
}

Evaluation evaluation_of(int dialogues) {
  EvaluationOptions o;
  o.strategy.strategies = 3;
  o.bootstrap.replicates = 50;
  const auto rows = rows_of(dialogues);
  Evaluation e;
  e.strategies = {{"A", "a"}, {"B", "b"}, {"C", "c"}};
  e.splits.emplace_back("test", evaluate_predictions(rows, o));
  e.baselines.emplace_back("test", baseline_reports(rows, rows, o));
  return e;
}

TEST(OneDialogue, HasNoIntervalsAndItsFileSaysSo) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path("evaluation.json");
  write_evaluation(path, evaluation_of(1));
  const auto json = nlohmann::json::parse(read_file(path));
  EXPECT_TRUE(json["splits"]["test"]["intervals"]["acc"].is_null());
  EXPECT_EQ(json["splits"]["test"]["intervals"]["dialogues"], 1);
  const Evaluation back = read_evaluation(path);
  EXPECT_FALSE(back.splits[0].second.intervals.q);
  for (const auto& b : back.baselines[0].second) EXPECT_FALSE(b.intervals.b) << b.name;
  write_evaluation(path, evaluation_of(2));
  EXPECT_TRUE(read_evaluation(path).splits[0].second.intervals.acc);
}

TEST(OneDialogue, WidthsOfNothingInEarlierFilesAreNotBelieved) {
  const testing::TemporaryFolder folder;
  auto json = evaluation_of(1).to_json();
  for (const char* key : {"acc", "q", "b"}) json["splits"]["test"]["intervals"][key] = {0.3, 0.3};
  write_file_atomic(folder.path("e.json"), json.dump());
  EXPECT_FALSE(read_evaluation(folder.path("e.json")).splits[0].second.intervals.acc);
}

TEST(OneDialogue, ADifferenceOfTwoMethodsHasNoIntervalEither) {
  const std::vector<MeanSums> a = {{9, 3}}, b = {{6, 3}};
  const auto one = compare_means(a, b, "reward");
  EXPECT_FALSE(one[0].interval);
  EXPECT_EQ(one[0].p, 1);
  const std::vector<MeanSums> c = {{9, 3}, {5, 2}}, d = {{6, 3}, {4, 2}};
  EXPECT_TRUE(compare_means(c, d, "reward")[0].interval);
}

TEST(JsonFields, WholeNumbersAreWholeAndFit) {
  const auto json = nlohmann::ordered_json::parse(
      R"({"a": 4.0, "b": 4.5, "c": true, "d": 1e300, "e": 5000000000, "f": -1,
          "g": [1, 2.0], "h": [1, 2.5], "i": 18446744073709551615, "j": "4"})");
  const JsonFields in(json, "file.json");
  int n = 0;
  in.get("a", n);
  EXPECT_EQ(n, 4);
  for (const char* key : {"b", "c", "d", "e", "j"}) {
    const auto e = testing::error_of([&] { in.get(key, n); });
    ASSERT_TRUE(e) << key;
    EXPECT_NE(e->full().find(std::string("file.json: \"") + key + "\""), std::string::npos);
  }
  std::uint64_t seed = 0;
  in.get("i", seed);
  EXPECT_EQ(seed, 18446744073709551615ull);
  EXPECT_TRUE(testing::error_of([&] { in.get("f", seed); }));
  std::vector<std::int64_t> list;
  in.get("g", list, 2);
  EXPECT_EQ(list[1], 2);
  EXPECT_TRUE(testing::error_of([&] { in.get("h", list); }));
}

TEST(Predictions, AFileFromATableProgramIsRead) {
  const testing::TemporaryFolder folder;
  const std::string row =
      R"({"id":"a:1","dialogue":"a","turn":1.0,"index":0.0,"of":1,"gold":5.0,"previous":-1,"chosen":3})";
  write_file_atomic(folder.path("p.jsonl"), "\xEF\xBB\xBF" + row + "\r\n");
  EXPECT_EQ(read_predictions(folder.path("p.jsonl")).at(0).gold, 5);
  std::string half = row;
  half.replace(half.find("5.0"), 3, "4.5");
  write_file_atomic(folder.path("p.jsonl"), half);
  const auto e = testing::error_of([&] { read_predictions(folder.path("p.jsonl")); });
  EXPECT_NE(e->full().find("p.jsonl:1: \"gold\" must be a whole number"), std::string::npos)
      << "a whole line without its end is whole: " << e->full();
}

}  // namespace
}  // namespace straq::metrics
