#include "dialogue/splits.h"

#include <algorithm>
#include <set>

#include "tests/testing.h"

namespace straq::dialogue {
namespace {

const Shares kShares = {{"train", 0.7}, {"valid", 0.15}, {"test", 0.15}};

std::vector<std::size_t> dialogues_of(const SplitPlan& plan) {
  std::vector<std::size_t> out;
  for (const SplitMember& m : plan.members) out.push_back(m.dialogue);
  return out;
}

// Episodes with 1, 2, … decisions.
std::vector<Episode> made_episodes(int count) {
  std::vector<Episode> out(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k <= i % 5; ++k) {
      out[static_cast<std::size_t>(i)].decisions.push_back({2 * k + 1, k % 3, k - 1, k == i % 5});
    }
  }
  return out;
}

std::vector<std::size_t> decisions_of(const std::vector<Episode>& episodes) {
  std::vector<std::size_t> out;
  for (const Episode& e : episodes) out.push_back(e.decisions.size());
  return out;
}

TEST(Splits, SharesAreCountedToTheNearestWhole) {
  EXPECT_EQ(share_counts(1300, kShares), (std::vector<std::size_t>{910, 195, 195}));
  EXPECT_EQ(share_counts(1300, {{"train", 0.8}, {"valid", 0.1}, {"test", 0.1}}),
            (std::vector<std::size_t>{1040, 130, 130}));
  EXPECT_EQ(share_counts(5, {{"train", 1}, {"valid", 0}, {"test", 0}}),
            (std::vector<std::size_t>{5, 0, 0}));
}

TEST(Splits, ImpossibleSharesAreErrors) {
  for (const Shares& bad :
       {Shares{{"train", 0.7}, {"test", 0.2}}, Shares{{"a", -0.5}, {"b", 1.5}}, Shares{}}) {
    const auto e = testing::error_of([&] { share_counts(100, bad); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->exit_code(), 2);
  }
  const auto e = testing::error_of([&] { share_counts(2, kShares); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("would be empty"), std::string::npos) << e->full();
}

TEST(Splits, RatioIsDisjointCompleteAndDeterministic) {
  const auto plans = plan_ratio(1300, kShares, 13);
  ASSERT_EQ(plans.size(), 3u);
  EXPECT_EQ(plans[0].members.size(), 910u);
  EXPECT_EQ(plans[1].members.size(), 195u);
  std::set<std::size_t> all;
  for (const auto& plan : plans) {
    const auto d = dialogues_of(plan);
    EXPECT_TRUE(std::is_sorted(d.begin(), d.end()));
    for (std::size_t i : d) EXPECT_TRUE(all.insert(i).second) << "dialogue " << i << " twice";
  }
  EXPECT_EQ(all.size(), 1300u);
  EXPECT_EQ(dialogues_of(plan_ratio(1300, kShares, 13)[2]), dialogues_of(plans[2]));
  EXPECT_NE(dialogues_of(plan_ratio(1300, kShares, 14)[2]), dialogues_of(plans[2]));
}

// A change of the random numbers or of the shuffle would silently change everyone's splits.
TEST(Splits, TheSeedsFirstDialoguesAreFrozen) {
  const auto test = dialogues_of(plan_ratio(20, kShares, 13)[2]);
  EXPECT_EQ(test, (std::vector<std::size_t>{1, 4, 9}));
}

TEST(Splits, SampleLevelOwnsEveryDecisionOnceAndSharesDialogues) {
  const auto episodes = made_episodes(60);
  const auto plans = plan_sample_level(decisions_of(episodes), kShares, 5);
  std::size_t owned = 0, total = 0;
  std::vector<std::vector<int>> owners(episodes.size());
  for (std::size_t i = 0; i < episodes.size(); ++i) {
    owners[i].resize(episodes[i].decisions.size());
    total += episodes[i].decisions.size();
  }
  std::set<std::size_t> seen, shared;
  for (const auto& plan : plans) {
    for (const SplitMember& m : plan.members) {
      if (!seen.insert(m.dialogue).second) shared.insert(m.dialogue);
      ASSERT_EQ(m.owned.size(), episodes[m.dialogue].decisions.size());
      for (std::size_t k = 0; k < m.owned.size(); ++k) {
        owners[m.dialogue][k] += m.owned[k];
        owned += m.owned[k];
      }
    }
  }
  EXPECT_EQ(owned, total);
  for (const auto& o : owners) {
    for (int n : o) EXPECT_EQ(n, 1);
  }
  EXPECT_GT(shared.size(), 10u) << "it is the leaking split";
}

// They have nothing that could be dealt out, but text.
TEST(Splits, SampleLevelKeepsDialoguesWithoutDecisionsForTraining) {
  auto episodes = made_episodes(60);
  episodes[3].decisions.clear();
  episodes[40].decisions.clear();
  const auto plans = plan_sample_level(decisions_of(episodes), kShares, 5);
  for (const auto& plan : plans) {
    const auto d = dialogues_of(plan);
    for (const std::size_t i : {std::size_t{3}, std::size_t{40}}) {
      EXPECT_EQ(std::count(d.begin(), d.end(), i), plan.name == plans.front().name) << plan.name;
    }
    EXPECT_TRUE(std::is_sorted(d.begin(), d.end()));
  }
}

TEST(Splits, RestrictedEpisodesKeepPreviousAndEndTerminal) {
  Episode e = made_episodes(5)[4];
  ASSERT_EQ(e.decisions.size(), 5u);
  const Episode r = restrict_to(e, {0, 1, 0, 1, 0});
  ASSERT_EQ(r.decisions.size(), 2u);
  EXPECT_EQ(r.decisions[0].turn, 3);
  EXPECT_EQ(r.decisions[0].previous, 0);
  EXPECT_FALSE(r.decisions[0].terminal);
  EXPECT_TRUE(r.decisions[1].terminal);
  EXPECT_EQ(restrict_to(e, {}).decisions.size(), 5u);
}

}  // namespace
}  // namespace straq::dialogue
