#include "results/reward_facts.h"

#include "core/json/json.h"

namespace straq::results {

RewardFacts reward_facts(const Run& run) {
  nlohmann::json provenance;
  if (try_parse_json(run.provenance, provenance).empty() && provenance.is_object()) {
    const auto reward = provenance.find("reward");
    if (reward != provenance.end() && reward->is_object()) {
      const auto text = [&](const char* key) {
        const auto it = reward->find(key);
        return it != reward->end() && it->is_string() ? it->get<std::string>() : std::string();
      };
      RewardFacts f{text("kind"), text("method"), text("title")};
      const auto imitation = reward->find("imitation");
      f.imitation = imitation != reward->end() && imitation->is_boolean() && imitation->get<bool>();
      if (!f.method.empty() && !f.title.empty()) return f;
    }
  }
  // The two that older runs can have; no others are to be added here.
  const std::string kind = run.parameter("learn.reward.kind").value_or("");
  if (kind == "imitation") return {kind, "straq_imit", "straQ*-imit", true};
  if (kind == "distill") return {kind, "straq_distill", "straQ*-distill", false};
  return {};
}

}  // namespace straq::results
