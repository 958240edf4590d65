#include "results/reward_facts.h"

namespace straq::results {

RewardFacts reward_facts(const Run& run) {
  const auto& reward = run.known.reward;
  if (reward && !reward->method.empty() && !reward->title.empty()) return *reward;
  // The two that older runs can have; no others are to be added here.
  const std::string kind = run.parameter("learn.reward.kind").value_or("");
  if (kind == "imitation") return {kind, "straq_imit", "straQ*-imit", true};
  if (kind == "distill") return {kind, "straq_distill", "straQ*-distill", false};
  return {};
}

}  // namespace straq::results
