#include "results/reward_facts.h"

#include "core/json/json.h"
#include "core/json/json_fields.h"

namespace straq::results {

RewardFacts reward_facts(const Run& run) {
  nlohmann::ordered_json json;
  if (try_parse_json(run.provenance, json).empty()) {
    Provenance provenance;
    JsonFields fields = JsonFields::skimmer(json);
    provenance.fields(fields);
    const auto& reward = provenance.reward;
    if (reward && !reward->method.empty() && !reward->title.empty()) return *reward;
  }
  // The two that older runs can have; no others are to be added here.
  const std::string kind = run.parameter("learn.reward.kind").value_or("");
  if (kind == "imitation") return {kind, "straq_imit", "straQ*-imit", true};
  if (kind == "distill") return {kind, "straq_distill", "straQ*-distill", false};
  return {};
}

}  // namespace straq::results
