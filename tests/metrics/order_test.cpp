// How Q orders strategies, and how well numbers foresee ratings. Numbers are computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "core/json/json_fields.h"
#include "metrics/evaluation.h"
#include "metrics/metric.h"
#include "metrics/order/foresight.h"
#include "metrics/order/ranking.h"

namespace straq::metrics {
namespace {

BootstrapOptions few() {
  BootstrapOptions o;
  o.replicates = 200;
  return o;
}

Prediction row_of(const std::string& dialogue, int turn, int gold, std::vector<double> q) {
  Prediction p;
  p.dialogue = dialogue;
  p.turn = turn;
  p.of = 9;
  p.gold = gold;
  p.q = std::move(q);
  p.chosen = -1;
  for (int a = 0; a < static_cast<int>(p.q.size()); ++a) {
    if (rank_of(p.q, a) == 1) p.chosen = a;
  }
  return p;
}

const std::vector<double> kQ = {0.1, 0.5, 0.5, 0.2};

TEST(Ranking, TiesStandInTheOrderOfTheStrategies) {
  EXPECT_EQ(rank_of(kQ, 1), 1);
  EXPECT_EQ(rank_of(kQ, 2), 2);
  EXPECT_EQ(rank_of(kQ, 3), 3);
  EXPECT_EQ(rank_of(kQ, 0), 4);
}

TEST(Ranking, GainsOfOneAndOfSeveralRightStrategies) {
  EXPECT_NEAR(ndcg_of(kQ, 1u << 1), 1, 1e-12);
  EXPECT_NEAR(ndcg_of(kQ, 1u << 3), 0.5, 1e-12);
  // Ranks 1 and 3: (1 + 1/2) / (1 + 1 / log2 3).
  EXPECT_NEAR(ndcg_of(kQ, 1u << 1 | 1u << 3), 1.5 / (1 + 1 / std::log2(3.0)), 1e-12);
  EXPECT_NEAR(ndcg_of(kQ, 0b1111), 1, 1e-12);
}

TEST(Ranking, MeansOverDecisionsWithIntervalsByDialogue) {
  std::vector<Prediction> rows = {row_of("a", 1, 3, kQ), row_of("a", 3, 0, kQ),
                                  row_of("b", 1, 1, kQ)};
  rows[0].strategies = 1u << 1 | 1u << 3;  // the choice, 1, is among them
  rows[1].strategies = 1u << 0;
  const auto r = ranking_report(rows, few());
  ASSERT_TRUE(r);
  EXPECT_EQ(r->n, 3);
  EXPECT_EQ(r->sets, 2);
  EXPECT_NEAR(*r->recall_at_3, 2.0 / 3, 1e-12);
  EXPECT_NEAR(*r->mrr, (1.0 / 3 + 1.0 / 4 + 1) / 3, 1e-12);
  const double first = 1.5 / (1 + 1 / std::log2(3.0)), second = 1 / std::log2(5.0);
  EXPECT_NEAR(*r->ndcg, (first + second + 1) / 3, 1e-12);
  EXPECT_NEAR(*r->set_acc, 0.5, 1e-12);
  // Draws of two dialogues: a twice 1/2, once each 2/3, b twice 1.
  ASSERT_TRUE(r->recall_at_3_interval);
  EXPECT_NEAR(r->recall_at_3_interval->low, 0.5, 1e-12);
  EXPECT_NEAR(r->recall_at_3_interval->high, 1, 1e-12);
}

TEST(Ranking, SaysNothingOfWhatIsNotThere) {
  std::vector<Prediction> rows = {row_of("a", 1, 3, {}), row_of("b", 1, 3, {0, NAN, 0, 0})};
  EXPECT_FALSE(ranking_report(rows, few()));
  rows[0].chosen = 3;
  rows[0].strategies = 1u << 3;
  const auto r = ranking_report(rows, few());
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->mrr);
  EXPECT_EQ(r->set_acc, 1.0);
}

std::vector<Foreseen> two_dialogues() {
  return {{"a", 2, 1}, {"a", 4, 3}, {"a", 5, 2}, {"b", 5, 10}, {"b", 3, 20}};
}

TEST(Foresight, RanksWithinDialoguesAndPairsOfLowAndHigh) {
  // Ranks less their mean: a (-1, 0, 1) and (-1, 1, 0), b (1/2, -1/2) and (-1/2, 1/2):
  // (1 - 1/2) / sqrt(2.5 * 2.5).
  const auto s = foresight(two_dialogues(), few());
  EXPECT_NEAR(*s.spearman, 0.2, 1e-12);
  // In a the low rating has the smallest value (2 of 2 pairs), in b the larger one (0 of 1).
  EXPECT_NEAR(*s.auc_within, 2.0 / 3, 1e-12);
  // Over all pairs: 1 is below 3, 2 and 10, 20 below none: 3 of 6.
  EXPECT_NEAR(*s.auc, 0.5, 1e-12);
  ASSERT_TRUE(s.spearman_interval && s.auc_within_interval);
  EXPECT_NEAR(s.spearman_interval->low, -1, 1e-12) << "b drawn twice";
  EXPECT_NEAR(s.spearman_interval->high, 0.5, 1e-12) << "a drawn twice";
}

TEST(Foresight, KnowingContentSeekersFromOthersIsNotKnowingWhatHelps) {
  // The value is the dialogue's: over all pairs it is perfect, within dialogues it says nothing.
  const std::vector<Foreseen> rows = {{"a", 1, 0}, {"a", 3, 0}, {"b", 4, 1}, {"b", 5, 1}};
  const auto s = foresight(rows, few());
  EXPECT_EQ(*s.spearman, 0);
  EXPECT_EQ(*s.auc, 1);
  EXPECT_FALSE(s.auc_within) << "no dialogue has both";
  auto with_both = rows;
  with_both.push_back({"b", 2, 1});
  EXPECT_EQ(*foresight(with_both, few()).auc_within, 0.5);
}

TEST(Foresight, NothingToCompareIsNothingAndOneDialogueHasNoInterval) {
  const auto same = foresight(std::vector<Foreseen>{{"a", 4, 0}, {"a", 4, 1}}, few());
  EXPECT_FALSE(same.spearman);
  EXPECT_FALSE(same.auc);
  const auto one = foresight(std::vector<Foreseen>{{"a", 2, 0}, {"a", 4, 1}}, few());
  EXPECT_EQ(*one.spearman, 1);
  EXPECT_FALSE(one.spearman_interval);
}

TEST(Foresight, PredictorsOfASplit) {
  // Q favours the strategy 1; its mean rating where the planner learned is lower than that of 0.
  std::vector<Prediction> rows;
  const int ratings[] = {2, 4, 0, 5};
  for (int i = 0; i < 4; ++i) {
    rows.push_back(row_of(i < 2 ? "a" : "b", i, i % 2, {1, 3, 2, 2}));
    rows.back().rating = ratings[i];
  }
  std::vector<Prediction> fit = {row_of("t", 1, 0, {}), row_of("t", 3, 0, {}),
                                 row_of("t", 5, 1, {}), row_of("t", 7, 2, {})};
  fit[0].rating = 5, fit[1].rating = 4, fit[2].rating = 3;
  const auto report = foresight_report(
      rows, fit,
      [](const Prediction& row) {
        return row.index == 0 ? std::optional<double>(-row.rating) : std::nullopt;
      },
      few());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ratings, 3);
  EXPECT_EQ(report->low, 1);
  EXPECT_EQ(report->dialogues, 2);
  ASSERT_EQ(report->predictors.size(), 10u);
  const auto spearman = [&](std::size_t i) { return *report->predictors[i].second.spearman; };
  EXPECT_EQ(report->predictors[0].first, "q");
  EXPECT_EQ(spearman(0), 1);
  EXPECT_EQ(report->predictors[1].first, "advantage");
  EXPECT_EQ(spearman(1), 1);
  EXPECT_EQ(report->predictors[2].first, "reward");
  EXPECT_EQ(spearman(2), -1);
  EXPECT_EQ(report->predictors[3].first, "strategy_mean");
  EXPECT_EQ(spearman(3), -1) << "0 has the mean 4.5, 1 has 3";
  EXPECT_EQ(report->predictors[4].first, "turn");
  EXPECT_EQ(report->predictors[5].first, "constant");
  EXPECT_EQ(spearman(5), 0);
  EXPECT_EQ(report->predictors[6].first, "q_beyond_turn");
  EXPECT_EQ(foresight_report(rows, fit, {}, few())->predictors.size(), 8u) << "no reward";
  for (auto& row : rows) row.rating = 0;
  EXPECT_FALSE(foresight_report(rows, fit, {}, few()));

  const auto json = write_json(*report);
  const auto back = read_json<ForesightReport>(json, "evaluation.json");
  ASSERT_EQ(back.predictors.size(), 10u);
  EXPECT_EQ(back.predictors[0].second.spearman, report->predictors[0].second.spearman);
  EXPECT_EQ(back.predictors[0].second.spearman_interval->high,
            report->predictors[0].second.spearman_interval->high);
  for (const auto& m : foresight_metrics()) {
    EXPECT_EQ(json["predictors"]["q"].contains(m.key),
              (report->predictors[0].second.*m.score).has_value())
        << m.key;
  }
}

// Ranks of ratings (1, 2, 3, 4), of Q (2, 1, 3, 4) and of the turns (1, 3, 2, 4): the correlations
// are 4/5, 4/5 and 2/5, and what Q knows beyond the turn (0.8 - 0.32) / sqrt(0.36 * 0.84).
TEST(Foresight, BeyondWhatTheTurnsNumberTells) {
  std::vector<Prediction> rows;
  const double q[] = {2, 1, 3, 4};
  const int index[] = {0, 2, 1, 3};
  for (int i = 0; i < 4; ++i) {
    rows.push_back(row_of("a", i, 0, {q[i], 0}));
    rows.back().rating = i + 1;
    rows.back().index = index[i];
  }
  const auto report = foresight_report(rows, {}, {}, few());
  ASSERT_TRUE(report);
  const auto of = [&](const std::string& name) {
    for (const auto& [predictor, scores] : report->predictors) {
      if (predictor == name) return scores.spearman.value_or(-9);
    }
    return -8.0;
  };
  EXPECT_NEAR(of("q"), 0.8, 1e-12);
  EXPECT_NEAR(of("turn"), 0.8, 1e-12);
  EXPECT_NEAR(of("q_beyond_turn"), 0.48 / std::sqrt(0.36 * 0.84), 1e-12);
  EXPECT_EQ(foresight_title("q_beyond_turn"), "Q, the turn's number known");
  // A predictor that only counts turns knows nothing beyond them.
  for (auto& row : rows) row.q[0] = row.index;
  EXPECT_EQ(foresight_report(rows, {}, {}, few())->predictors.back().second.spearman, 0.0);
}

TEST(Ranking, IsPartOfAnEvaluationAndReadBack) {
  std::vector<Prediction> rows = {row_of("a", 1, 3, kQ), row_of("b", 3, 0, kQ)};
  rows[0].strategies = 1u << 3;
  EvaluationOptions options;
  options.strategy.strategies = 4;
  options.bootstrap = few();
  const auto made = evaluate_predictions(rows, options);
  ASSERT_TRUE(made.ranking);
  const auto json = write_json(made);
  const auto back = read_json<SplitEvaluation>(json, "evaluation.json");
  ASSERT_TRUE(back.ranking);
  EXPECT_FALSE(back.foresight);
  for (const auto& m : ranking_metrics()) {
    ASSERT_TRUE(*made.ranking.*m.score) << m.key;
    EXPECT_EQ(json["ranking"][m.key], *(*made.ranking.*m.score)) << m.key;
    EXPECT_EQ(*back.ranking.*m.score, *made.ranking.*m.score) << m.key;
    EXPECT_EQ((*back.ranking.*m.interval)->high, (*made.ranking.*m.interval)->high) << m.key;
  }
}

}  // namespace
}  // namespace straq::metrics
