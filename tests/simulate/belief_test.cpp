// What the words tell: the probability of a text, and a belief that is right as often as it says.
#include "simulate/belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "dialogue/readers/readers.h"
#include "simulate/play.h"
#include "tests/simulate/support.h"

namespace straq::simulate {
namespace {

TEST(PhraseProbability, IsHowOftenATextIsSaid) {
  const Simulator simulator(testing::shipped_config());
  const PhraseBook& book = simulator.book();
  const PhraseBook::Scene scene{1, book.problems()[1].emotions[0], 4, 2};
  const int n = 20000;
  for (const char* list : {"seeker.better", "seeker.worse", "seeker.intensity.3", "seeker.left"}) {
    CounterRng rng(3, list);
    std::map<std::string, int> counts;
    for (int i = 0; i < n; ++i) ++counts[bare_text(book.say(list, scene, rng))];
    double sum = 0;
    for (const auto& [text, count] : counts) {
      const double p = book.probability(list, scene, text);
      sum += p;
      EXPECT_NEAR(count / double(n), p, 5 * std::sqrt(p * (1 - p) / n) + 1e-4) << text;
    }
    EXPECT_GT(sum, 0.99) << list;
    EXPECT_LT(sum, 1 + 1e-9) << list;
  }
  EXPECT_EQ(book.probability("seeker.better", scene, bare_text("I never say this.")), 0);
  EXPECT_EQ(book.probability("seeker.better", scene, ""), 0);
}

TEST(PhraseProbability, OfASupportersTextDependsOnTheDegree) {
  const Simulator simulator(testing::shipped_config());
  const PhraseBook& book = simulator.book();
  const int reflect = *simulator.strategies().find("Reflection of feelings");
  PhraseBook::Scene scene{0, book.problems()[0].emotions[0], 5, 0};
  using Place = PhraseBook::Supporting;
  CounterRng rng(4, "degree");
  int told = 0;
  for (int i = 0; i < 200; ++i) {
    scene.intensity = 5;
    const std::string text =
        bare_text(book.support(reflect, Stage::comforting, Place::any, scene, rng));
    EXPECT_GT(book.support_probability(reflect, Stage::comforting, Place::any, scene, text), 0);
    scene.intensity = 1;
    told += book.support_probability(reflect, Stage::comforting, Place::any, scene, text) == 0;
  }
  EXPECT_GT(told, 50) << "\"unbearably\" is not said to the calm";
  EXPECT_LT(told, 200);
  EXPECT_FALSE(book.tells_degree("seeker.action", scene));
  EXPECT_TRUE(book.tells_degree("degree", scene));
}

TEST(PhraseProbability, SumsOverAllWaysOfSayingATextAndOverFacts) {
  const SimulateConfig config = testing::shipped_config();
  const Simulator simulator(config);
  // "{a|b}{c|}" says "ab" in one way, "a" in none but with both halves: worked by hand.
  const Phrase p = Phrase::parse("{a|ab}{b|}", "here");
  const auto none = [](const std::string&, std::size_t) { return Phrase::Ends{}; };
  double whole = 0;
  for (const auto& [end, chance] : p.match("ab", {{0, 1.0}}, none)) whole += end == 2 ? chance : 0;
  EXPECT_NEAR(whole, 0.25 + 0.25, 1e-12) << "a+b and ab+nothing";
  const PhraseBook& book = simulator.book();
  PhraseBook::Scene scene{0, book.problems()[0].emotions[0], 3, -1};
  CounterRng rng(5, "facts");
  for (int fact = 0; fact < book.problems()[0].facts; ++fact) {
    scene.fact = fact;
    const std::string text = bare_text(book.say("seeker.exploration", scene, rng));
    const double with = book.probability("seeker.exploration", scene, text);
    scene.fact = -1;
    EXPECT_NEAR(book.probability("seeker.exploration", scene, text),
                with / book.problems()[0].facts, 1e-15);
  }
}

class BeliefTest : public ::testing::Test {
 protected:
  // Follows dialogues in which strategies are drawn from all alike, and looks at every decision.
  template <class Look>
  static void follow(const Simulator& simulator, int dialogues, Look&& look) {
    for (int i = 0; i < dialogues; ++i) {
      Session session(simulator, 11, i);
      WordFilter filter(simulator);
      CounterRng rng(12, "actions", static_cast<std::uint64_t>(i));
      while (!session.over()) {
        filter.read(session.so_far());
        look(session.state(), filter.belief());
        session.answer(static_cast<int>(rng.below(8)));
      }
      filter.read(session.so_far());  // what is over says nothing more
    }
  }
};

// Of all the times that it gives a state a chance of about p, the seeker is there in about p: a
// filter that over- or underrates any of the words, or forgets a way of saying them, is not.
TEST_F(BeliefTest, IsRightAsOftenAsItSays) {
  const Simulator simulator(testing::shipped_config());
  constexpr int bins = 10;
  std::array<double, bins> said{}, was{}, variance{};
  double surprise = 0, decisions = 0, expected_surprise = 0;
  follow(simulator, 1500, [&](const State& s, const Belief& b) {
    ASSERT_EQ(b.previous, s.previous);
    ASSERT_EQ(b.turn, s.turn);
    double sum = 0;
    for (int h = 0; h < hidden_count; ++h) {
      const double p = b.p[static_cast<std::size_t>(h)];
      const bool here = h == hidden_index(s.stage, s.intensity);
      sum += p;
      if (p > 0) expected_surprise -= p * std::log(p);
      if (here) surprise -= std::log(p);
      const auto bin = static_cast<std::size_t>(std::min(bins - 1, static_cast<int>(p * bins)));
      said[bin] += p;
      was[bin] += here;
      variance[bin] += p * (1 - p);
    }
    ASSERT_NEAR(sum, 1, 1e-9);
    ++decisions;
  });
  for (std::size_t i = 0; i < bins; ++i) {
    EXPECT_NEAR(was[i], said[i], 4.5 * std::sqrt(variance[i]) + 1) << "bin " << i;
  }
  // It is as surprised as it expects to be, and knows a good deal.
  EXPECT_NEAR(surprise / decisions, expected_surprise / decisions, 0.03);
  EXPECT_LT(surprise / decisions, 1.0);
}

// Without noise, where every turn tells the intensity, the words give the intensity away.
TEST_F(BeliefTest, IsCertainWhereTheWordsAre) {
  SimulateConfig config = testing::shipped_config();
  config.wording.noise = 0;
  config.wording.intensity_told = 1;
  const Simulator simulator(config);
  int certain = 0, later = 0;
  follow(simulator, 100, [&](const State& s, const Belief& b) {
    double level = 0;
    for (int h = 0; h < hidden_count; ++h) {
      if (hidden_intensity(h) == s.intensity) level += b.p[static_cast<std::size_t>(h)];
    }
    EXPECT_NEAR(level, 1, 1e-9);
    if (s.turn == 0) return;
    ++later;
    certain += b.p[static_cast<std::size_t>(hidden_index(s.stage, s.intensity))] > 0.999;
  });
  EXPECT_GT(certain, 0.99 * later);
}

// One turn by Bayes' rule, with the numbers of the config: what is shown is mostly what is.
TEST_F(BeliefTest, WhatIsShownHasTheNoiseOfTheConfig) {
  const ShownTable t = shown_given_hidden(0.2);
  const auto p = [&](Stage g, int i, Stage shown, int level) {
    return t[static_cast<std::size_t>(hidden_index(g, i))]
            [static_cast<std::size_t>(hidden_index(shown, level))];
  };
  EXPECT_NEAR(p(Stage::action, 3, Stage::action, 3), 0.8 * 0.8, 1e-12);
  EXPECT_NEAR(p(Stage::action, 3, Stage::exploration, 3), 0.1 * 0.8, 1e-12);
  EXPECT_NEAR(p(Stage::action, 3, Stage::action, 4), 0.8 * 0.1, 1e-12);
  EXPECT_NEAR(p(Stage::action, 1, Stage::action, 1), 0.8 * 0.9, 1e-12) << "no calmer than calm";
  EXPECT_EQ(p(Stage::action, 1, Stage::action, 3), 0);
}

TEST_F(BeliefTest, WordsThatNobodySaysAreRefused) {
  const Simulator simulator(testing::shipped_config());
  Session session(simulator, 1, 0);
  SimulatedDialogue d = session.so_far();
  d.spoken.back().pieces = {"Nobody in this world says that."};
  WordFilter filter(simulator);
  EXPECT_THROW(filter.read(d), std::logic_error);
}

TEST(Sessions, GoAlikeWhereDecisionsAreAlike) {
  const Simulator simulator(testing::shipped_config());
  for (int number = 0; number < 20; ++number) {
    Session a(simulator, 7, number), b(simulator, 7, number), c(simulator, 8, number);
    for (int turn = 0; !a.over() && !b.over(); ++turn) {
      ASSERT_EQ(a.state(), b.state());
      const int action = turn % 8;
      EXPECT_EQ(a.answer(action), b.answer(action));
    }
    EXPECT_EQ(a.over(), b.over());
    EXPECT_EQ(dialogue::to_jsonl(a.so_far().dialogue, simulator.strategies()),
              dialogue::to_jsonl(b.so_far().dialogue, simulator.strategies()));
    EXPECT_NE(c.so_far().dialogue.situation + c.so_far().dialogue.utterances[0].text,
              a.so_far().dialogue.situation + a.so_far().dialogue.utterances[0].text);
    EXPECT_THROW(a.answer(0), std::logic_error);
  }
}

// What a step draws does not depend on what was said before it: after different words the same
// strategy in the same state leads to the same state.
TEST(Sessions, ShareTheirLuckStepByStep) {
  SimulateConfig config = testing::shipped_config();
  for (auto* rows : {&config.dynamics.effects.exploration, &config.dynamics.effects.comforting,
                     &config.dynamics.effects.action}) {
    // All strategies do the same, so that decisions differ in words alone.
    for (auto& row : *rows) {
      const double advance = rows == &config.dynamics.effects.action ? 0 : 0.3;
      row.second = {advance, 0.3, 0.2, 0.02};
    }
  }
  config.dynamics.repeat_factor = 1;
  const Simulator simulator(config);
  for (int number = 0; number < 50; ++number) {
    Session a(simulator, 7, number), b(simulator, 7, number);
    while (!a.over()) {
      ASSERT_FALSE(b.over());
      EXPECT_EQ(a.answer(0), b.answer(3));
      EXPECT_EQ(a.state().stage, b.state().stage);
      EXPECT_EQ(a.state().intensity, b.state().intensity);
    }
    EXPECT_TRUE(b.over());
  }
}

TEST(Play, AgreesWithExactValuesWhoeverCounts) {
  const Simulator simulator(testing::shipped_config());
  const Dynamics& dynamics = simulator.dynamics();
  const Values best = optimal_values(dynamics, 0.9);
  const auto exact =
      start_value(dynamics, policy_values(dynamics, supporter_policy(simulator.policy()), 0.9));
  PlayOptions options;
  options.dialogues = 3000;
  const Played one =
      play(simulator, best, by_state(supporter_policy(simulator.policy()), 3), options);
  const Mean plain = mean_of(one.returns), sharp = mean_of(one.by_advantage);
  EXPECT_NEAR(plain.value, exact, 4 * plain.standard_error);
  EXPECT_NEAR(sharp.value, exact, 4 * sharp.standard_error);
  EXPECT_LT(sharp.standard_error, 0.6 * plain.standard_error);
  EXPECT_EQ(one.outcomes[1] + one.outcomes[2] + one.outcomes[3], 3000);
  // Who acts as the optimum does loses nothing, in any dialogue.
  options.dialogues = 50;
  for (double x : play(simulator, best, by_state(greedy_policy(best), 3), options).by_advantage) {
    EXPECT_NEAR(x, start_value(dynamics, best), 1e-9);
  }
  options.threads = 3;
  const Played many =
      play(simulator, best, by_state(supporter_policy(simulator.policy()), 3), options);
  ASSERT_EQ(many.returns.size(), 50u);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(many.returns[i], one.returns[i]);
  options.dialogues = 10;
  EXPECT_THROW(play(
                   simulator, best,
                   [](int) -> Chooser {
                     return [](const Session&) -> int { throw std::runtime_error("no"); };
                   },
                   options),
               std::runtime_error);
}

}  // namespace
}  // namespace straq::simulate
