// Orders for episodes as JSON, for sending them from the rank that read the corpus to the ranks
// that tokenise.
#pragma once

#include <nlohmann/json.hpp>

#include "dialogue/plan/corpus_plan.h"

namespace straq::dialogue {

nlohmann::json to_json(const EpisodeOrders& orders);
// Throws nlohmann::json::exception where `json` is not what to_json gave.
EpisodeOrders orders_from_json(const nlohmann::json& json);

}  // namespace straq::dialogue
