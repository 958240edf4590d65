#include "dialogue/turns.h"

#include <algorithm>
#include <map>

#include "dialogue/statistics.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

TEST(Turns, MergesRunsAndDropsTheOpeningTurnsDecision) {
  const Dialogue d = parse(kLine).dialogues[0];
  const Episode e = build_episode(d, MergeLabel::first);
  EXPECT_EQ(e.id, d.id);
  EXPECT_EQ(e.situation, "My team shrinks.");
  ASSERT_EQ(e.turns.size(), 6u);
  EXPECT_EQ(e.turns[1].text, "Hi. I might lose my job. It keeps me awake.");
  EXPECT_EQ(e.turns[3].text, "My boss did.");
  EXPECT_EQ(e.turns[2].strategy, 2);
  EXPECT_EQ(e.turns[2].strategies, (std::vector<int>{2, 0}));
  ASSERT_EQ(e.decisions.size(), 2u);
  EXPECT_EQ(e.decisions[0].turn, 2);
  EXPECT_EQ(e.decisions[0].gold, 2);
  EXPECT_EQ(e.decisions[0].previous, 7) << "the dropped opening turn counts as previous";
  EXPECT_FALSE(e.decisions[0].terminal);
  EXPECT_EQ(e.decisions[1].turn, 4);
  EXPECT_EQ(e.decisions[1].previous, 2);
  EXPECT_TRUE(e.decisions[1].terminal);
}

TEST(Turns, LastLabelAndNoMerging) {
  const Dialogue d = parse(kLine).dialogues[0];
  const Episode last = build_episode(d, MergeLabel::last);
  EXPECT_EQ(last.decisions[0].gold, 0);
  EXPECT_EQ(last.decisions[1].previous, 0);
  const Episode none = build_episode(d, MergeLabel::none);
  EXPECT_EQ(none.turns.size(), d.utterances.size());
  ASSERT_EQ(none.decisions.size(), 3u);
  EXPECT_EQ(none.decisions[0].gold, 2);
  EXPECT_EQ(none.decisions[1].gold, 0);
  EXPECT_EQ(none.decisions[1].previous, 2);
  EXPECT_EQ(none.decisions[1].turn, 4);
}

TEST(Turns, OpeningsAreDecisionsWhereTheyAreAskedFor) {
  const Dialogue d = parse(kLine).dialogues[0];
  const Episode e = build_episode(d, MergeLabel::none, /*unlabelled=*/false, /*openings=*/true);
  ASSERT_EQ(e.decisions.size(), 4u);
  EXPECT_EQ(e.decisions[0].turn, 0);
  EXPECT_EQ(e.decisions[0].gold, 7);
  EXPECT_EQ(e.decisions[0].previous, -1);
  EXPECT_EQ(e.decisions[1].previous, 7);
  EXPECT_EQ(build_episode(d, MergeLabel::first, false, true).decisions.size(), 3u);
}

TEST(Turns, DialoguesWithoutStrategiesGiveDecisionsOnlyWhenAsked) {
  const Dialogue d =
      parse(R"({"dialog": [{"speaker": "usr", "text": "a"}, {"speaker": "sys", "text": "b"}]})")
          .dialogues[0];
  EXPECT_EQ(build_episode(d, MergeLabel::first).turns.size(), 2u);
  EXPECT_TRUE(build_episode(d, MergeLabel::first).decisions.empty());
  const Episode asked = build_episode(d, MergeLabel::first, true);
  ASSERT_EQ(asked.decisions.size(), 1u);
  EXPECT_EQ(asked.decisions[0].gold, -1);
  EXPECT_EQ(asked.decisions[0].previous, -1);
}

TEST(Turns, FeedbackRatesTheSupportersTurnBefore) {
  Dialogue d = parse(kLine).dialogues[0];
  d.utterances[1].feedback = 1;  // of the opener, which is no decision
  d.utterances[5].feedback = 2;
  d.utterances.insert(d.utterances.begin() + 6, {Speaker::seeker, "Last week.", -1, 4});
  const Episode e = build_episode(d, MergeLabel::first);
  EXPECT_EQ(e.initial_intensity, 4);
  EXPECT_EQ(e.final_intensity, 2);
  ASSERT_EQ(e.decisions.size(), 2u);
  EXPECT_EQ(e.decisions[0].rating, 4) << "the last word before the next supporter turn";
  EXPECT_EQ(e.decisions[1].rating, 0);
  EXPECT_FALSE(e.decisions[0].judge);
  const Episode none = build_episode(d, MergeLabel::none);
  ASSERT_EQ(none.decisions.size(), 3u);
  EXPECT_EQ(none.decisions[0].rating, 0);
  EXPECT_EQ(none.decisions[1].rating, 4);
}

TEST(Turns, ATurnEarnsWhatItsUtterancesDo) {
  Dialogue d = parse(kLine).dialogues[0];
  const Episode before = build_episode(d, MergeLabel::first);
  for (const auto& decision : before.decisions) EXPECT_FALSE(decision.reward);
  std::vector<std::size_t> supporter;
  for (std::size_t i = 0; i < d.utterances.size(); ++i) {
    if (d.utterances[i].speaker == Speaker::supporter) supporter.push_back(i);
  }
  d.utterances[supporter.back()].reward = 1.5;
  Utterance more = d.utterances[supporter.back()];
  more.reward = -0.25;
  d.utterances.insert(d.utterances.begin() + static_cast<std::ptrdiff_t>(supporter.back()) + 1,
                      more);
  const Episode e = build_episode(d, MergeLabel::first);
  ASSERT_EQ(e.decisions.size(), before.decisions.size());
  EXPECT_FALSE(e.decisions.front().reward);
  EXPECT_EQ(e.decisions.back().reward, 1.25);
}

DecisionStatistics decision_statistics(const std::vector<const std::vector<Episode>*>& parts) {
  DecisionStatistics out;
  for (const auto* part : parts) {
    DecisionStatistics one;
    for (const Episode& e : *part) one.add(e);
    out.add(one);
  }
  return out;
}

// The counts that the project's tables rest on.
TEST(RealData, DecisionCountsOfEveryRule) {
  using Counts = std::vector<std::int64_t>;
  const StrategySet strategies = esconv_strategies();
  std::map<MergeLabel, std::vector<std::vector<Episode>>> built;
  for (const char* name : {"esconv/train.txt", "esconv/valid.txt", "esconv/test.txt"}) {
    STRAQ_REQUIRE_DATA(path, name);
    const Corpus c = read_corpus(path, Format::automatic, strategies);
    for (const MergeLabel m : {MergeLabel::first, MergeLabel::last, MergeLabel::none}) {
      built[m].push_back(build_episodes(c.dialogues, m));
    }
  }
  const auto all = [&](MergeLabel m) {
    return decision_statistics({&built[m][0], &built[m][1], &built[m][2]});
  };
  const DecisionStatistics first = all(MergeLabel::first);
  EXPECT_EQ(first.per_strategy, (Counts{2577, 982, 1257, 1412, 2447, 2370, 996, 2601}));
  EXPECT_EQ(first.decisions, 14642);
  EXPECT_EQ(first.terminal, 1300);
  EXPECT_EQ(first.decisions - first.terminal, 13342);
  EXPECT_EQ(first.openers, 683);
  EXPECT_EQ(first.supporter_ends, 875);
  EXPECT_EQ(first.least, 3);
  EXPECT_EQ(first.most, 43);
  EXPECT_NEAR(double(first.merged) / 14642, 0.183, 0.0005);
  EXPECT_NEAR(double(first.mixed) / 14642, 0.149, 0.0005);

  const std::vector<Counts> per_split = {{1788, 719, 873, 979, 1714, 1600, 684, 1834},
                                         {378, 124, 183, 214, 355, 356, 157, 389},
                                         {411, 139, 201, 219, 378, 414, 155, 378}};
  const Counts decisions = {10191, 2156, 2295}, dialogues = {910, 195, 195},
               bootstrapped = {9281, 1961, 2100};
  const std::vector<double> mean = {11.20, 11.06, 11.77};
  for (std::size_t s = 0; s < 3; ++s) {
    const auto d = decision_statistics({&built[MergeLabel::first][s]});
    EXPECT_EQ(d.per_strategy, per_split[s]);
    EXPECT_EQ(d.decisions, decisions[s]);
    EXPECT_EQ(d.terminal, dialogues[s]);
    EXPECT_EQ(d.decisions - d.terminal, bootstrapped[s]);
    EXPECT_NEAR(double(d.decisions) / double(d.dialogues), mean[s], 0.005);
  }

  const DecisionStatistics last = all(MergeLabel::last);
  EXPECT_EQ(last.per_strategy, (Counts{3030, 911, 1099, 1283, 2233, 2462, 990, 2634}));
  EXPECT_EQ(last.decisions, 14642);

  const DecisionStatistics none = all(MergeLabel::none);
  EXPECT_EQ(none.per_strategy, (Counts{3336, 1085, 1434, 1713, 2817, 2948, 1214, 3146}));
  EXPECT_EQ(none.decisions, 17693);
  const Counts unmerged = {12271, 2621, 2801};
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_EQ(decision_statistics({&built[MergeLabel::none][s]}).decisions, unmerged[s]);
  }
}

}  // namespace
}  // namespace straq::dialogue
