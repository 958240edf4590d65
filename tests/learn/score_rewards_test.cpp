// Rewards made of what people and judges said: seekers' ratings, the drop of intensity, a judge's
// scores. Numbers are computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "learn/rewards/distill.h"
#include "learn/rewards/feedback.h"
#include "learn/rewards/registry.h"
#include "learn/rewards/relief.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using straq::testing::error_of;

LearnConfig config_of(const std::string& yaml) {
  return config::read<LearnConfig>(config::parse_yaml(yaml, "learn.yaml"));
}

// A dialogue of decisions with these ratings (0: none); its golds are 0, 1, 2, …
prompt::Comb rated(const std::vector<int>& ratings) {
  prompt::Comb comb;
  comb.id = "d/0";
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    prompt::CombDecision d;
    d.turn = static_cast<std::int32_t>(2 * i + 1);
    d.gold = static_cast<std::int32_t>(i);
    d.rating = ratings[i];
    d.terminal = i + 1 == ratings.size();
    comb.decisions.push_back(d);
  }
  return comb;
}

std::vector<prompt::Comb> two_dialogues() {
  return {rated({0, 2, 0, 5, 0}), rated({4, 1}), rated({0, 0})};
}

// Rewards of the transitions of a dialogue's decisions; NaN where one has none.
std::vector<double> rewards_of(const LearnConfig& config, const std::vector<prompt::Comb>& combs,
                               std::int32_t comb) {
  const auto source = transitions_of(combs, config, 8, 1);
  const auto& decisions = combs[static_cast<std::size_t>(comb)].decisions;
  std::vector<double> out;
  for (std::int32_t d = 0; d < static_cast<std::int32_t>(decisions.size()); ++d) {
    std::vector<Transition> made;
    source(comb, d, 0, made);
    if (made.empty()) {
      out.push_back(NAN);
      continue;
    }
    EXPECT_EQ(made.size(), 1u) << "of actions that nobody took nothing is known";
    EXPECT_EQ(made[0].decision, d);
    EXPECT_EQ(made[0].action, decisions[static_cast<std::size_t>(d)].gold);
    EXPECT_EQ(made[0].continues, !decisions[static_cast<std::size_t>(d)].terminal);
    out.push_back(made[0].reward);
  }
  return out;
}

void expect_rewards(const std::string& yaml, std::int32_t comb, const std::vector<double>& wanted) {
  const auto found = rewards_of(config_of(yaml), two_dialogues(), comb);
  ASSERT_EQ(found.size(), wanted.size()) << yaml;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      EXPECT_TRUE(std::isnan(found[i])) << yaml << " " << i;
    } else {
      EXPECT_NEAR(found[i], wanted[i], 1e-12) << yaml << " " << i;
    }
  }
}

TEST(Feedback, ARatingCountsByItsDistanceFromTheDialoguesMean) {
  // The mean of the first dialogue is 3.5, of the second 2.5; the third has none.
  expect_rewards("reward: {kind: feedback}", 0, {-1.5, -1.5, 1.5, 1.5, 0});
  expect_rewards("reward: {kind: feedback}", 1, {1.5, -1.5});
  expect_rewards("reward: {kind: feedback}", 2, {NAN, NAN});
  expect_rewards("reward: {kind: feedback}\nfeedback: {centre: false}", 0, {2, 2, 5, 5, 3.5});
}

TEST(Feedback, UnratedDecisionsAsTheSwitchSays) {
  const std::string kind = "reward: {kind: feedback}\n";
  expect_rewards(kind + "feedback: {unrated: average}", 0, {0, -1.5, 0, 1.5, 0});
  expect_rewards(kind + "feedback: {unrated: average, centre: false}", 0, {3.5, 2, 3.5, 5, 3.5});
  expect_rewards(kind + "feedback: {unrated: drop}", 0, {NAN, -1.5, NAN, 1.5, NAN});
}

TEST(Feedback, MapsAreLinearBeforeAndAfterCentring) {
  const auto yaml = [](const char* map, const char* centre) {
    return std::string("reward: {kind: feedback, map: ") + map + "}\nfeedback: {centre: " + centre +
           "}";
  };
  expect_rewards(yaml("r/5", "true"), 0, {-0.3, -0.3, 0.3, 0.3, 0});
  expect_rewards(yaml("r/5", "false"), 0, {0.4, 0.4, 1, 1, 0.7});
  expect_rewards(yaml("(r-3)/2", "true"), 0, {-0.75, -0.75, 0.75, 0.75, 0});
  expect_rewards(yaml("(r-3)/2", "false"), 0, {-0.5, -0.5, 1, 1, 0.25});
  // The ratings 2, 5, 4, 1 have the mean 3 and the variance 2.5.
  const double sd = std::sqrt(2.5);
  expect_rewards(yaml("zscore", "false"), 0, {-1 / sd, -1 / sd, 2 / sd, 2 / sd, 0.5 / sd});
  expect_rewards(yaml("zscore", "true"), 1, {1.5 / sd, -1.5 / sd});
}

TEST(Feedback, ReturnsAreBoundedByTheMapsRange) {
  const auto bound = [](const std::string& yaml) {
    return config_of(yaml).reward->largest_return(0.85);
  };
  EXPECT_NEAR(bound("reward: {kind: feedback}"), 4 / 0.15, 1e-9);
  EXPECT_NEAR(bound("reward: {kind: feedback}\nfeedback: {centre: false}"), 5 / 0.15, 1e-9);
  EXPECT_NEAR(bound("reward: {kind: feedback, map: (r-3)/2}"), 2 / 0.15, 1e-9);
  EXPECT_TRUE(std::isinf(bound("reward: {kind: feedback, map: zscore}"))) << "before it is fitted";
  const auto combs = two_dialogues();
  const auto z = config_of("reward: {kind: feedback, map: zscore}\nfeedback: {centre: false}");
  EXPECT_NEAR(fitted(z.reward.chosen(), combs)->largest_return(0), 2 / std::sqrt(2.5), 1e-9);
  EXPECT_TRUE(std::isinf(config_of("reward: {kind: feedback}").reward->largest_return(1)));
}

TEST(Feedback, NeedsRatings) {
  const auto config = config_of("reward: {kind: feedback}");
  require_outcomes(config.reward.chosen(), two_dialogues(), "train");
  const auto e = error_of([&] {
    require_outcomes(config.reward.chosen(), std::vector<prompt::Comb>{rated({0, 0})}, "train");
  });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("decision/rating"), std::string::npos) << e->what();
}

TEST(ScoreMaps, ZscoresNeedScoresThatDiffer) {
  const auto config = config_of("reward: {kind: feedback, map: zscore}");
  const auto combs = two_dialogues();
  const auto unfitted = error_of([&] { config.reward->of_own_action(combs[0], 1); });
  ASSERT_TRUE(unfitted);
  EXPECT_NE(std::string(unfitted->what()).find("train split"), std::string::npos);
  const std::vector<prompt::Comb> same = {rated({4, 4})};
  const auto flat = error_of([&] { transitions_of(same, config, 8, 1); });
  ASSERT_TRUE(flat);
  EXPECT_NE(flat->hint().find("(r-3)/2"), std::string::npos);
}

TEST(Relief, IsTheDropOfIntensityAtTheDialoguesEnd) {
  auto combs = two_dialogues();
  combs[0].initial_intensity = 4, combs[0].final_intensity = 2;
  combs[1].initial_intensity = 2, combs[1].final_intensity = 5;
  combs[2].initial_intensity = 3, combs[2].final_intensity = 0;  // not said
  const auto config = config_of("reward: {kind: relief}\nrelief: {scale: 0.5}");
  EXPECT_EQ(rewards_of(config, combs, 0), (std::vector<double>{0, 0, 0, 0, 1}));
  EXPECT_EQ(rewards_of(config, combs, 1), (std::vector<double>{0, -1.5}));
  EXPECT_TRUE(std::isnan(rewards_of(config, combs, 2)[1]));
  EXPECT_EQ(config.reward->largest_return(1), 2) << "earned once, so no discount bounds it";
  require_outcomes(config.reward.chosen(), combs, "train");
  const auto e =
      error_of([&] { require_outcomes(config.reward.chosen(), two_dialogues(), "train"); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("final_intensity"), std::string::npos) << e->what();
  const auto nothing = error_of([] { config_of("terminal: drop\nreward: {kind: relief}"); });
  ASSERT_TRUE(nothing);
  EXPECT_NE(std::string(nothing->what()).find("learn.yaml:1"), std::string::npos)
      << nothing->what();
}

TEST(Distill, IsTheJudgesScore) {
  auto combs = two_dialogues();
  combs[0].decisions[0].judge = 4.5;
  combs[0].decisions[2].judge = 2;
  const auto check = [&](const std::string& yaml, const std::vector<double>& wanted) {
    const auto found = rewards_of(config_of(yaml), combs, 0);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_TRUE(std::isnan(wanted[i]) ? std::isnan(found[i])
                                        : std::abs(found[i] - wanted[i]) < 1e-12)
          << yaml << " " << i << ": " << found[i];
    }
  };
  check("reward: {kind: distill}", {4.5, NAN, 2, NAN, NAN});
  // The mean of the scores that there are is 3.25, and so they are 1.25 from it.
  check("reward: {kind: distill}\ndistill: {missing: mean}", {4.5, 3.25, 2, 3.25, 3.25});
  check("reward: {kind: distill, map: zscore}\ndistill: {missing: mean}", {1, 0, -1, 0, 0});
  check("reward: {kind: distill, map: r/5}", {0.9, NAN, 0.4, NAN, NAN});
  check("reward: {kind: distill, map: (r-3)/2}", {0.75, NAN, -0.5, NAN, NAN});
  EXPECT_NEAR(config_of("reward: {kind: distill}").reward->largest_return(0.85), 5 / 0.15, 1e-9);
  require_outcomes(config_of("reward: {kind: distill}").reward.chosen(), combs, "train");
  EXPECT_TRUE(error_of([&] {
    require_outcomes(config_of("reward: {kind: distill}").reward.chosen(), two_dialogues(),
                     "train");
  }));
}

TEST(ScoreRewards, AreNoImitation) {
  for (const char* kind : {"distill", "feedback", "relief"}) {
    LearnConfig config;
    config.reward.choose(kind);
    EXPECT_FALSE(config.reward->facts().imitation);
    EXPECT_EQ(config.reward->facts().method, std::string("straq_") + kind);
    EXPECT_EQ(config.reward->facts().title, std::string("straQ*-") + kind);
  }
}

// What a planner makes of the corpus depends on who was content: the same model, batches and
// choices, and ratings that praise one half of the strategies or the other.
double preference_for_the_first_half(int first, int second) {
  auto combs = testing::random_combs(12, 3);
  for (auto& comb : combs) {
    for (auto& d : comb.decisions) d.rating = d.gold < 4 ? first : second;
  }
  LearnConfig config = testing::plain_config();
  config.reward.choose("feedback");
  config.gamma = 0;
  config.lr = 3e-3;
  const auto group = comm::make_local_collectives();
  Learner learner(testing::random_model(), combs, testing::kOptions, planner::Readout::mean_logit,
                  config, *group);
  learner.begin_stage(config, 60);
  const auto source = transitions_of(combs, config, 8, 1);
  for (std::int64_t epoch = 0, step = 0; step < 60; ++epoch) {
    for (const auto& batch : epoch_batches(combs, Batching::exact, 16, 1000, 1, epoch)) {
      learner.step(batch, epoch, source);
      ++step;
    }
  }
  const at::Tensor q = testing::evaluated(learner, combs);
  double sum[2] = {0, 0};
  int n[2] = {0, 0}, row = 0;
  for (const auto& comb : combs) {
    for (const auto& d : comb.decisions) {
      sum[d.gold / 4] += q[row++][d.gold].item<double>();
      ++n[d.gold / 4];
    }
  }
  return sum[0] / n[0] - sum[1] / n[1];
}

TEST(ScoreRewards, TrainWhatTheSeekersPraised) {
  const double praised = preference_for_the_first_half(5, 1);
  const double blamed = preference_for_the_first_half(1, 5);
  EXPECT_GT(praised, 0.5);
  EXPECT_LT(blamed, -0.5);
}

}  // namespace
}  // namespace straq::learn
