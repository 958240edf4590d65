// Each entry of the list of metrics, held to all that reads the list here; tests/report, tests/
// results and tests/experiment do the same for tables, files and best.metric.
#include "metrics/metric.h"

#include <gtest/gtest.h>

#include <set>

#include "core/json/json_fields.h"
#include "metrics/evaluation.h"
#include "metrics/paired.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

// Choices that are right in the one dialogue and partly wrong in the other, so that no two metrics
// are alike.
std::vector<Prediction> decisions() {
  std::vector<Prediction> rows;
  const int gold[] = {0, 1, 2, 0, 0, 0, 1, 3}, chosen[] = {0, 1, 2, 0, 1, 0, 2, 2};
  for (int i = 0; i < 8; ++i) {
    Prediction p;
    p.dialogue = i < 4 ? "a" : "b";
    p.turn = p.index = i % 4;
    p.of = 4;
    p.gold = gold[i];
    p.chosen = chosen[i];
    p.q = {0.1 * i, 0.5, 0.25, 0.125};
    p.mc_return = i;
    rows.push_back(p);
  }
  return rows;
}

SplitEvaluation evaluation() {
  EvaluationOptions o;
  o.strategy.strategies = 4;
  o.bootstrap.replicates = 200;
  return evaluate_predictions(decisions(), o);
}

TEST(Metrics, HaveKeysTitlesAndFormerWordsThatNoOtherHas) {
  std::set<std::string> words, titles;
  for (const Metric* m : all_metrics()) {
    EXPECT_TRUE(words.insert(m->key).second) << m->key;
    EXPECT_TRUE(titles.insert(m->title).second) << m->title;
    EXPECT_EQ(find_metric(m->key), m);
    EXPECT_EQ(current_key(m->key), m->key);
  }
  for (const Metric* m : all_metrics()) {
    if (m->former == nullptr) continue;
    EXPECT_TRUE(words.insert(m->former).second) << m->former;
    EXPECT_EQ(current_key(m->former), m->key);
  }
  EXPECT_EQ(current_key("q"), "macro_f1");
  EXPECT_EQ(find_metric("q"), nullptr) << "q is a Q value, and that only";
}

TEST(Metrics, OfChoicesAreWrittenAndReadBackUnderTheirKeys) {
  const SplitEvaluation made = evaluation();
  const auto json = write_json(made);
  const auto back = read_json<SplitEvaluation>(json, "evaluation.json");
  std::set<double> values;
  for (const auto& m : strategy_metrics()) {
    EXPECT_EQ(json["strategy"][m.key], made.strategy.*m.score) << m.key;
    EXPECT_EQ(back.strategy.*m.score, made.strategy.*m.score) << m.key;
    EXPECT_TRUE(values.insert(made.strategy.*m.score).second) << m.key << " is another's value";
    ASSERT_EQ(json["intervals"].contains(m.key), m.interval != nullptr) << m.key;
    if (m.interval == nullptr) continue;
    ASSERT_TRUE(m.interval_of(made.intervals)) << m.key;
    EXPECT_EQ(json["intervals"][m.key][1], m.interval_of(made.intervals)->high) << m.key;
    EXPECT_EQ(m.interval_of(back.intervals)->low, m.interval_of(made.intervals)->low) << m.key;
  }
}

TEST(Metrics, OfRepliesAreWrittenAndReadBackUnderTheirKeys) {
  ResponseScores made;
  made.n = made.clusters = 2;
  made.intervals.emplace();
  for (const auto& m : reply_metrics()) {
    const auto x = static_cast<double>(m.which);
    EXPECT_EQ(&reply_metric(m.which), &m);
    made.values[m.which] = x + 0.5;
    (*made.intervals)[m.which] = {x, x + 1};
  }
  const auto json = write_json(made);
  const auto back = read_json<ResponseScores>(json, "x.score.json");
  for (const auto& m : reply_metrics()) {
    EXPECT_EQ(json[m.key], made[m.which]);
    EXPECT_EQ(back[m.which], made[m.which]) << m.key;
    EXPECT_EQ((*back.intervals)[m.which].high, (*made.intervals)[m.which].high) << m.key;
  }
}

TEST(Metrics, OfQValuesAreWhatTheFileHasUnderTheirKeys) {
  const ValueReport made = *evaluation().value;
  const auto json = write_json(made);
  for (const auto& m : value_metrics()) {
    ASSERT_TRUE(m.value(made)) << m.key;
    EXPECT_EQ(json[m.key], *m.value(made)) << m.key;
    EXPECT_FALSE(m.rankable) << m.key << ": a higher Q is no better a planner";
  }
}

// The keys of a list's metrics that tests take.
template <class M>
std::vector<std::string> tested(std::span<const M> metrics) {
  std::vector<std::string> out;
  for (const M& m : metrics) {
    if (m.tested()) out.emplace_back(m.key);
  }
  return out;
}
std::vector<std::string> keys_of(const std::vector<PairedDifference>& differences) {
  std::vector<std::string> out;
  for (const auto& d : differences) out.push_back(d.metric);
  return out;
}

TEST(Metrics, ThatRowsAreTestedByAreThoseThatTestsCompare) {
  StrategyOptions o;
  o.strategies = 4;
  const auto counts = counts_by_dialogue(decisions(), o);
  const PairedOptions paired{.bootstrap = {.replicates = 0}};
  const auto choices = compare_strategies(counts, counts, paired);
  EXPECT_EQ(keys_of(choices), tested(strategy_metrics()));
  const auto report = strategy_report(decisions(), o);
  for (const auto& d : choices) EXPECT_DOUBLE_EQ(d.a, report.*strategy_metric(d.metric).score);

  const std::vector<ResponsePair> pairs = {{"1", "i see", {"i see that"}, "a", "", ""},
                                           {"2", "is it so", {"so it is"}, "b", "", ""}};
  const auto sums = sums_by_dialogue(pairs, {}).sums;
  EXPECT_EQ(keys_of(compare_replies(sums, sums, BleuVariant::method3, paired)),
            tested(reply_metrics()));
  for (const auto& m : reply_metrics()) {
    EXPECT_EQ(std::isnan(additive_scores(sums[0], {})[m.which]), m.sums == SumsOf::none) << m.key;
  }
}

TEST(Metrics, SayWhatIsBetter) {
  EXPECT_TRUE(strategy_metric("acc").beats(0.5, 0.25));
  EXPECT_TRUE(strategy_metric("bias").beats(0.25, 0.5));
  EXPECT_FALSE(strategy_metric("bias").beats(0.5, 0.5));
  for (const Metric* m : all_metrics()) {
    EXPECT_TRUE(!m->rankable || m->better != Better::neither) << m->key;
  }
}

TEST(Metrics, AreNamedInLogLinesAndSentencesAsInTables) {
  EXPECT_EQ(words_of({0.27931, 0.2297, 0.26, 0.50729}), "Acc 27.93, macro-F1 22.97, B 0.507");
  EXPECT_EQ(titles_of(metrics_in(&ShownIn::main)), "Acc, macro-F1, B, B-2 and R-L");
}

}  // namespace
}  // namespace straq::metrics
