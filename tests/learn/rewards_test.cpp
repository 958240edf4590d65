// What holds for every reward: chosen by name, its own settings, its needs.
#include <gtest/gtest.h>

#include "core/error.h"
#include "learn/learn_config.h"
#include "learn/rewards/imitation.h"
#include "learn/rewards/registry.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

// A judge's score, less what a decision costs.
class JudgedReward : public Reward {
 public:
  double cost = 0;
  double cap = 5;

  std::unique_ptr<Reward> clone() const override { return std::make_unique<JudgedReward>(*this); }
  RewardFacts facts() const override { return {"judged", "straq_judged", "straQ*-judged", false}; }
  void fields(config::Fields& f) override { f("cost", cost, config::at_least(0)); }
  struct Section {
    double* cap;
    void fields(config::Fields& f) { f("cap", *cap); }
  };
  void sections(config::Fields& f) override {
    Section section{&cap};
    f("judge", section);
  }
  std::optional<IdleReason> idle(const std::string& key, double) const override {
    if (key == "judge.cap" && cost > 5)
      return IdleReason{"nothing is left of it", "lower the cost"};
    return {};
  }
  std::vector<Outcome> needs() const override { return {Outcome::judge, Outcome::intensity}; }
  std::optional<double> of_own_action(const prompt::Comb& comb, std::size_t d) const override {
    const auto& judge = comb.decisions[d].judge;
    return judge ? std::optional<double>(std::min(*judge, cap) - cost) : std::nullopt;
  }
  double largest_return(double gamma) const override { return (cap + cost) / (1 - gamma); }
  CombTransitions transitions(int, std::uint64_t) const override {
    return [reward = *this](const prompt::Comb& comb, std::int64_t, std::int32_t d, std::int64_t,
                            std::vector<Transition>& out) {
      const auto& decision = comb.decisions[static_cast<std::size_t>(d)];
      if (const auto r = reward.of_own_action(comb, static_cast<std::size_t>(d))) {
        out.push_back({d, decision.gold, *r, !decision.terminal});
      }
    };
  }
};
const AddReward added(std::make_unique<JudgedReward>());

LearnConfig read(const std::string& yaml) {
  return config::read<LearnConfig>(config::parse_yaml(yaml, "learn.yaml"));
}

std::string message_of(const std::string& yaml) {
  try {
    read(yaml);
  } catch (const Error& e) {
    return std::string(e.what()) + "\n" + e.hint();
  }
  return {};
}

std::vector<prompt::Comb> two_decisions(std::optional<double> first, std::optional<double> last) {
  prompt::Comb comb;
  comb.id = "d/0";
  comb.initial_intensity = 4, comb.final_intensity = 2;
  for (const auto& judge : {first, last}) {
    prompt::CombDecision decision;
    decision.gold = 3;
    decision.judge = judge;
    comb.decisions.push_back(decision);
  }
  comb.decisions.back().terminal = true;
  return {comb};
}

TEST(Rewards, AreChosenByName) {
  EXPECT_EQ(LearnConfig().reward->facts().kind, "imitation");
  EXPECT_EQ(read("reward: {kind: judged}").reward->facts().method, "straq_judged");
  LearnConfig config;
  config.reward.choose("judged");
  EXPECT_EQ(config.reward->facts().kind, "judged");
  EXPECT_THROW(config.reward.choose("nobody"), Error);
}

TEST(Rewards, AnUnknownNameIsRefusedWithThoseThereAre) {
  const std::string unknown = message_of("reward: {kind: imitatoin}");
  EXPECT_NE(unknown.find("learn.yaml:1"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("did you mean \"imitation\"?"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("imitation, distill"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("distill, feedback, relief, recorded"), std::string::npos) << unknown;
}

TEST(Rewards, HaveTheirOwnSettingsAndWriteNoOthers) {
  auto config = read("reward: {kind: judged, cost: 2}\njudge: {cap: 4}\nneg: {ratio: 3}");
  EXPECT_EQ(config.reward.settings<JudgedReward>().cost, 2);
  EXPECT_EQ(config.reward.settings<JudgedReward>().cap, 4);
  EXPECT_EQ(config.reward.settings<ImitationReward>().neg.ratio, 3);
  const std::string judged = config::to_yaml(config::dump(config));
  EXPECT_NE(judged.find("cost: 2"), std::string::npos) << judged;
  EXPECT_NE(judged.find("cap: 4"), std::string::npos) << judged;
  EXPECT_EQ(judged.find("neg:"), std::string::npos) << judged;
  EXPECT_EQ(judged.find("expert"), std::string::npos) << judged;
  const std::string plain = config::to_yaml(config::dump(LearnConfig()));
  EXPECT_NE(plain.find("ratio: 1"), std::string::npos) << plain;
  EXPECT_EQ(plain.find("cost"), std::string::npos) << plain;
  // What is written reads back.
  EXPECT_EQ(config::to_yaml(config::dump(read(judged))), judged);
  // Those of a reward that was not chosen are checked as well.
  EXPECT_NE(message_of("reward: {cost: -1}").find("learn.yaml:1"), std::string::npos);
  EXPECT_NE(message_of("reward: {coast: 1}").find("did you mean"), std::string::npos);
}

TEST(Rewards, SayWhoseASettingIs) {
  EXPECT_EQ(rewards_with("neg.ratio"), std::vector<std::string>{"imitation"});
  EXPECT_EQ(rewards_with("reward.expert"), std::vector<std::string>{"imitation"});
  EXPECT_EQ(rewards_with("reward.cost"), std::vector<std::string>{"judged"});
  EXPECT_EQ(rewards_with("judge.cap"), std::vector<std::string>{"judged"});
  EXPECT_TRUE(rewards_with("reward.kind").empty());
  EXPECT_TRUE(rewards_with("reward.map").empty());
  EXPECT_TRUE(rewards_with("gamma").empty());
  EXPECT_EQ(reward_sections(), (std::vector<std::string>{"neg", "distill", "feedback", "relief",
                                                         "recorded", "judge"}));
}

TEST(Rewards, CopiesOfAConfigAreTheirOwn) {
  LearnConfig a;
  LearnConfig b = a;
  b.reward.settings<ImitationReward>().expert = 7;
  EXPECT_EQ(a.reward.settings<ImitationReward>().expert, 1);
  a = b;
  EXPECT_EQ(a.reward.settings<ImitationReward>().expert, 7);
}

TEST(Rewards, TransitionsAreTheChosenOnes) {
  auto config = read("reward: {kind: judged, cost: 1}");
  const auto combs = two_decisions(4.5, std::nullopt);
  std::vector<Transition> made;
  const auto source = transitions_of(combs, config, 8, 1);
  source(0, 0, 0, made);
  source(0, 1, 0, made);
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].action, 3);
  EXPECT_EQ(made[0].reward, 3.5);
  EXPECT_TRUE(made[0].continues);
}

TEST(Rewards, AskForTheOutcomesThatTheyNeed) {
  const auto config = read("reward: {kind: judged}");
  const auto refusal = [&](const std::vector<prompt::Comb>& combs) -> std::string {
    try {
      require_outcomes(config.reward.chosen(), combs, "train");
    } catch (const Error& e) {
      return std::string(e.what()) + "\n" + e.hint();
    }
    return {};
  };
  auto combs = two_decisions(4.0, std::nullopt);
  EXPECT_EQ(refusal(combs), "");
  combs[0].final_intensity = prompt::kNotCarried;
  const std::string old = refusal(combs);
  EXPECT_NE(old.find("shards of train do not hold"), std::string::npos) << old;
  EXPECT_NE(old.find("dialogue/final_intensity"), std::string::npos) << old;
  EXPECT_NE(old.find("d/0"), std::string::npos) << old;
  EXPECT_NE(old.find("straq preprocess"), std::string::npos) << old;
  const std::string nobody = refusal(two_decisions(std::nullopt, std::nullopt));
  EXPECT_NE(nobody.find("decision/judge"), std::string::npos) << nobody;
  EXPECT_NE(nobody.find("no dialogue of train has any"), std::string::npos) << nobody;
  require_outcomes(LearnConfig().reward.chosen(), {}, "train");  // imitation needs none
}

TEST(Rewards, RecordedOnesAreTakenAsTheyAre) {
  const auto config = read("reward: {kind: recorded}\nrecorded: {largest_return: 7}");
  EXPECT_FALSE(config.reward->facts().imitation);
  EXPECT_EQ(config.reward->largest_return(0.5), 7);
  EXPECT_EQ(config.reward->largest_return(1), 7);
  auto combs = two_decisions(std::nullopt, std::nullopt);
  combs[0].decisions[0].reward = -1.25;
  require_outcomes(config.reward.chosen(), combs, "train");
  EXPECT_EQ(config.reward->of_own_action(combs[0], 0), -1.25);
  EXPECT_FALSE(config.reward->of_own_action(combs[0], 1));
  std::vector<Transition> made;
  const auto source = transitions_of(combs, config, 8, 1);
  source(0, 0, 0, made);
  source(0, 1, 0, made);  // nothing is known of it
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].decision, 0);
  EXPECT_EQ(made[0].action, combs[0].decisions[0].gold);
  EXPECT_EQ(made[0].reward, -1.25);
  EXPECT_TRUE(made[0].continues);
  combs[0].decisions[1].reward = 0;  // which is not the same as none
  source(0, 1, 0, made);
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[1].reward, 0);
  EXPECT_EQ(made[1].continues, !combs[0].decisions[1].terminal);
}

TEST(Rewards, RecordedOnesHaveToBeThere) {
  const auto config = read("reward: {kind: recorded}");
  try {
    require_outcomes(config.reward.chosen(), two_decisions(4.0, 3.0), "train");
    FAIL() << "nobody recorded any";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("decision/reward"), std::string::npos) << e.what();
  }
}

TEST(Rewards, HaveDifferentNames) {
  EXPECT_THROW(AddReward(std::make_unique<JudgedReward>()), std::logic_error);
}

}  // namespace
}  // namespace straq::learn
