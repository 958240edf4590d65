#include "metrics/response_report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/json/json_fields.h"
#include "core/rng.h"
#include "metrics/metric.h"
#include "tests/testing.h"

namespace straq::metrics {
namespace {

using M = ResponseMetric;

// The metrics of replies by their keys.
std::vector<std::pair<std::string, M>> all_replies() {
  std::vector<std::pair<std::string, M>> out;
  for (const auto& m : reply_metrics()) out.emplace_back(m.key, m.which);
  return out;
}

// Twelve dialogues of replies that share some words with their references.
std::vector<ResponsePair> replies() {
  const std::vector<std::string> words = {"i",   "am",   "sorry", "to",   "hear", "that", "you",
                                          "can", "try",  "talk",  "feel", "it",   "is",   "hard",
                                          "how", "long", "your",  "boss", "."};
  const std::vector<std::string> strategies = {"Question", "Others", "Information"};
  CounterRng rng(7, "replies");
  const auto sentence = [&](std::size_t length) {
    std::string out;
    for (std::size_t i = 0; i < length; ++i) out += words[rng.below(words.size())] + " ";
    return out;
  };
  std::vector<ResponsePair> out;
  for (int d = 0; d < 12; ++d) {
    const std::uint64_t turns = 2 + rng.below(6);
    for (std::uint64_t t = 0; t < turns; ++t) {
      ResponsePair pair;
      pair.id = std::to_string(d) + ":" + std::to_string(t);
      pair.dialogue = "d" + std::to_string(d);
      pair.strategy = strategies[rng.below(3)];
      pair.emotion = d % 2 ? "anger" : "";
      pair.hypothesis = sentence(3 + rng.below(9));
      pair.references = {pair.hypothesis + sentence(2), sentence(6)};
      if (t % 2) pair.references.erase(pair.references.begin());
      out.push_back(std::move(pair));
    }
  }
  return out;
}

std::vector<ResponsePair> having(const std::vector<ResponsePair>& pairs,
                                 const std::string& strategy) {
  std::vector<ResponsePair> out;
  for (const auto& p : pairs) {
    if (p.strategy == strategy) out.push_back(p);
  }
  return out;
}

TEST(ResponseReports, SubsetsScoreAsIfTheyWereAlone) {
  const auto pairs = replies();
  const auto report = response_report(pairs, {}, BootstrapOptions{200, 1, 0.95});
  ASSERT_EQ(report.by_strategy.size(), 3u);
  EXPECT_EQ(report.by_strategy[0].first, "Information") << "sorted by name";
  std::int64_t n = 0;
  for (const auto& [name, scores] : report.by_strategy) {
    const auto alone = response_report(having(pairs, name), {}, BootstrapOptions{200, 1, 0.95});
    n += scores.n;
    for (const auto& [key, m] : all_replies()) {
      EXPECT_DOUBLE_EQ(scores[m], alone.overall[m]) << name << " " << key;
      EXPECT_DOUBLE_EQ((*scores.intervals)[m].low, (*alone.overall.intervals)[m].low);
      EXPECT_DOUBLE_EQ((*scores.intervals)[m].high, (*alone.overall.intervals)[m].high);
    }
  }
  EXPECT_EQ(n, report.overall.n);
  ASSERT_EQ(report.by_emotion.size(), 1u) << "replies without an emotion are in no subset";
  EXPECT_EQ(report.by_emotion[0].first, "anger");
  EXPECT_EQ(report.by_emotion[0].second.clusters, 6);
}

TEST(ResponseReports, IntervalsHoldThePointEstimate) {
  const auto report = response_report(replies(), {}, BootstrapOptions{2000, 42, 0.95});
  EXPECT_EQ(report.overall.clusters, 12);
  ASSERT_TRUE(report.overall.intervals);
  for (const auto& [key, m] : all_replies()) {
    const Interval& x = (*report.overall.intervals)[m];
    EXPECT_LE(x.low, report.overall[m]) << key;
    EXPECT_GE(x.high, report.overall[m]) << key;
    EXPECT_LT(x.low, x.high) << key;
  }
}

// What a replicate adds up is what scoring the drawn dialogues themselves gives.
TEST(ResponseReports, SumsOfDrawnDialoguesEqualScoringThem) {
  const auto pairs = replies();
  for (const auto variant : {BleuVariant::method3, BleuVariant::coco}) {
    ResponseOptions options;
    options.bleu = variant;
    const auto by_dialogue = sums_by_dialogue(pairs, options);
    ASSERT_EQ(by_dialogue.dialogues.size(), 12u);
    std::vector<ResponsePair> drawn;
    ResponseSums sum;
    for (const std::size_t d : {3u, 0u, 3u, 11u}) {
      sum += by_dialogue.sums[d];
      for (const auto& p : pairs) {
        if (p.dialogue == by_dialogue.dialogues[d]) drawn.push_back(p);
      }
    }
    const auto direct = response_report(drawn, options).overall;
    const auto added = additive_scores(sum, variant);
    for (const auto& [key, m] : all_replies()) {
      if (m == M::cider) continue;  // its idf is frozen from all pairs, see below
      if (key.starts_with("dist")) {
        EXPECT_TRUE(std::isnan(added[m])) << "Dist-n does not add up";
        continue;
      }
      EXPECT_NEAR(added[m], direct[m], 1e-12) << key;
    }
    double cider = 0;
    const auto each = sums_by_pair(pairs, options);
    for (const auto& p : drawn) {
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        if (pairs[i].id == p.id) cider += each[i].cider;
      }
    }
    EXPECT_NEAR(added[M::cider], cider / static_cast<double>(drawn.size()), 1e-12);
  }
}

TEST(ResponseReports, DialoguesWidenTheInterval) {
  // All replies of a dialogue alike: as many independent replies as there are dialogues.
  std::vector<ResponsePair> pairs;
  for (int d = 0; d < 20; ++d) {
    for (int t = 0; t < 10; ++t) {
      ResponsePair p;
      p.dialogue = "d" + std::to_string(d);
      p.hypothesis = d % 2 ? "a b c" : "x y z";
      p.references = {"a b c"};
      pairs.push_back(p);
    }
  }
  const BootstrapOptions bootstrap{1000, 1, 0.95};
  const auto width = [&] {
    const auto report = response_report(pairs, {}, bootstrap);
    const Interval x = (*report.overall.intervals)[M::rouge_l];
    return x.high - x.low;
  };
  const double clustered = width();
  for (auto& p : pairs) p.dialogue.clear();
  EXPECT_EQ(response_report(pairs, {}).overall.clusters, 200);
  EXPECT_GT(clustered, 2 * width()) << "about sqrt(10)";
}

TEST(ResponseReports, OneDialogueHasNoInterval) {
  ResponsePair p;
  p.dialogue = "d";
  p.hypothesis = p.references.emplace_back("a b");
  const auto report = response_report(std::vector<ResponsePair>{p, p}, {}, BootstrapOptions{});
  EXPECT_FALSE(report.overall.intervals);
  EXPECT_EQ(report.overall.clusters, 1);
}

TEST(ResponseReports, JackknifeIntervalByHand) {
  // Three single-word replies, two distinct words: Dist-1 2/3; without one: 1, 1, 1/2.
  std::vector<ResponsePair> pairs(3);
  const char* words[] = {"a", "a", "b"};
  for (std::size_t i = 0; i < 3; ++i) {
    pairs[i].hypothesis = words[i];
    pairs[i].references = {"a"};
  }
  const auto report = response_report(pairs, {}, BootstrapOptions{100, 1, 0.5});
  // Without each: {a, b} 1, {a, b} 1, {a, a} 1/2; mean 5/6, squares 1/6, error sqrt(2/3 * 1/6).
  const double half = student_t_quantile(0.75, 2) * std::sqrt(1.0 / 9);
  EXPECT_NEAR((*report.overall.intervals)[M::dist1].low, 2.0 / 3 - half, 1e-12);
  EXPECT_NEAR((*report.overall.intervals)[M::dist1].high, 2.0 / 3 + half, 1e-12);
}

TEST(ResponseReports, EmptyRepliesAreCountedAndScored) {
  auto pairs = replies();
  pairs[0].hypothesis = " ";
  const auto report = response_report(pairs, {});
  EXPECT_EQ(report.overall.empty, 1);
  EXPECT_EQ(report.overall.n, static_cast<std::int64_t>(pairs.size()));
  for (const auto& [key, m] : all_replies()) EXPECT_TRUE(std::isfinite(report.overall[m])) << key;
}

TEST(ResponseReports, SurviveJson) {
  ResponseOptions options;
  options.bleu = BleuVariant::coco;
  options.tokenization = Tokenization::whitespace;
  options.rouge_beta = 1;
  const auto report = response_report(replies(), options, BootstrapOptions{100, 9, 0.9});
  const auto json = report.to_json();
  EXPECT_EQ(json["tokenizer"], "whitespace");
  EXPECT_EQ(json["overall"]["intervals"]["bleu2"].size(), 2u);
  const auto text = nlohmann::ordered_json::parse(json.dump());
  const auto again = read_json<ResponseReport>(text, "x");
  EXPECT_EQ(again.to_json(), json);
  EXPECT_EQ(again.by_strategy.size(), 3u);

  auto broken = json;
  broken["by_strategy"]["Question"].erase("cider");
  const auto error = testing::error_of([&] { read_json<ResponseReport>(broken, "e.json"); });
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("e.json: by_strategy.Question: \"cider\" is missing"),
            std::string::npos)
      << error->what();
  broken = json;
  broken["bleu"] = "method9";
  EXPECT_TRUE(testing::error_of([&] { read_json<ResponseReport>(broken, "e.json"); }));
}

TEST(ResponseReports, NothingToScoreIsAnError) {
  EXPECT_TRUE(testing::error_of([] { response_report({}, {}); }));
  ResponsePair p;
  p.id = "lonely";
  p.hypothesis = "a";
  const auto error = testing::error_of([&] { response_report(std::vector{p}, {}); });
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("lonely"), std::string::npos);
}

}  // namespace
}  // namespace straq::metrics
