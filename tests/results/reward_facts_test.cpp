#include "results/reward_facts.h"

#include <gtest/gtest.h>

#include "core/json/json_fields.h"

namespace straq::results {
namespace {

TEST(RewardFacts, AreWhatTheRunSays) {
  results::Run run;
  run.parameters = {{"learn.reward.kind", "imitation"}};
  Provenance provenance;
  provenance.reward = RewardFacts{"rated", "straq_rated", "straQ*-rated", false};
  run.known = known_provenance(write_json(provenance));
  const RewardFacts f = reward_facts(run);
  EXPECT_EQ(f.kind, "rated");
  EXPECT_EQ(f.method, "straq_rated");
  EXPECT_EQ(f.title, "straQ*-rated");
  EXPECT_FALSE(f.imitation);
}

TEST(RewardFacts, OfAnOlderRunFollowFromItsConfig) {
  results::Run run;
  run.settings = {{"learn.reward.kind", "imitation"}};
  for (const char* provenance :
       {"{}", "[1]", R"({"reward": 3})", R"({"reward": {"method": 1, "title": "x"}})"}) {
    run.known = known_provenance(nlohmann::ordered_json::parse(provenance));
    EXPECT_EQ(reward_facts(run).method, "straq_imit") << provenance;
    EXPECT_TRUE(reward_facts(run).imitation);
  }
  run.settings = {{"learn.reward.kind", "distill"}};
  EXPECT_EQ(reward_facts(run).title, "straQ*-distill");
  EXPECT_FALSE(reward_facts(run).imitation);
  run.settings = {{"learn.reward.kind", "rated"}};
  EXPECT_EQ(reward_facts(run).method, "") << "nothing says its name";
}

}  // namespace
}  // namespace straq::results
