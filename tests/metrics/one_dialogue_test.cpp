// One dialogue says nothing of how dialogues differ: no interval, in memory and in evaluation.json.
#include <gtest/gtest.h>

#include "core/json/json_fields.h"
#include "metrics/evaluation.h"
#include "metrics/paired.h"

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

Evaluation read_back(const nlohmann::ordered_json& json) {
  return read_json<Evaluation>(json, "evaluation.json");
}

TEST(OneDialogue, HasNoIntervalsAndItsFileSaysSo) {
  const auto json = evaluation_of(1).to_json();
  EXPECT_TRUE(json["splits"]["test"]["intervals"]["acc"].is_null());
  EXPECT_EQ(json["splits"]["test"]["intervals"]["dialogues"], 1);
  const Evaluation back = read_back(json);
  EXPECT_FALSE(back.splits[0].second.intervals.macro_f1);
  for (const auto& b : back.baselines[0].second) EXPECT_FALSE(b.intervals.bias) << b.name;
  EXPECT_TRUE(read_back(evaluation_of(2).to_json()).splits[0].second.intervals.acc);
}

TEST(OneDialogue, WidthsOfNothingInEarlierFilesAreNotBelieved) {
  auto json = evaluation_of(1).to_json();
  for (const char* key : {"acc", "macro_f1", "bias"})
    json["splits"]["test"]["intervals"][key] = {0.3, 0.3};
  EXPECT_FALSE(read_back(json).splits[0].second.intervals.acc);
}

TEST(OneDialogue, ADifferenceOfTwoMethodsHasNoIntervalEither) {
  const std::vector<MeanSums> a = {{9, 3}}, b = {{6, 3}};
  const auto one = compare_means(a, b, "reward");
  EXPECT_FALSE(one[0].interval);
  EXPECT_EQ(one[0].p, 1);
  const std::vector<MeanSums> c = {{9, 3}, {5, 2}}, d = {{6, 3}, {4, 2}};
  EXPECT_TRUE(compare_means(c, d, "reward")[0].interval);
}

}  // namespace
}  // namespace straq::metrics
