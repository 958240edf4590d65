#include "dialogue/episode_json.h"

#include <gtest/gtest.h>

namespace straq::dialogue {
namespace {

TEST(EpisodeJson, ComesBackAsItWas) {
  Episode e;
  e.id = "train/00007";
  e.emotion = "sadness";
  e.problem = "breakup";
  e.situation = "Ça va… \"quoted\"\tand \xF0\x9F\x99\x82";
  e.turns.push_back({Speaker::seeker, "hi", -1, {}});
  e.turns.push_back({Speaker::supporter, "tell me", 0, {0, 3}});
  e.decisions.push_back({1, 0, -1, false});
  e.decisions.push_back({3, 5, 0, true, 4, 2.25, -0.1});
  e.initial_intensity = 5, e.final_intensity = 2;
  // As text, which is how it travels.
  const Episode back = episode_from_json(nlohmann::json::parse(to_json(e).dump()));
  EXPECT_EQ(back.id, e.id);
  EXPECT_EQ(back.emotion, e.emotion);
  EXPECT_EQ(back.problem, e.problem);
  EXPECT_EQ(back.situation, e.situation);
  ASSERT_EQ(back.turns.size(), 2u);
  EXPECT_EQ(back.turns[0].speaker, Speaker::seeker);
  EXPECT_EQ(back.turns[1].speaker, Speaker::supporter);
  EXPECT_EQ(back.turns[1].text, "tell me");
  EXPECT_EQ(back.turns[1].strategies, (std::vector<int>{0, 3}));
  ASSERT_EQ(back.decisions.size(), 2u);
  EXPECT_EQ(back.decisions[1].turn, 3);
  EXPECT_EQ(back.decisions[1].gold, 5);
  EXPECT_EQ(back.decisions[1].previous, 0);
  EXPECT_TRUE(back.decisions[1].terminal);
  EXPECT_EQ(back.decisions[0].previous, -1);
  EXPECT_EQ(back.decisions[0].rating, 0);
  EXPECT_FALSE(back.decisions[0].judge);
  EXPECT_EQ(back.decisions[1].rating, 4);
  EXPECT_EQ(back.decisions[1].judge, 2.25);
  EXPECT_FALSE(back.decisions[0].reward);
  EXPECT_EQ(back.decisions[1].reward, -0.1);
  EXPECT_EQ(back.initial_intensity, 5);
  EXPECT_EQ(back.final_intensity, 2);
}

}  // namespace
}  // namespace straq::dialogue
