// Episodes as JSON, for sending them from the rank that read the corpus to the ranks that tokenise.
#pragma once

#include <nlohmann/json.hpp>

#include "dialogue/dialogue.h"

namespace straq::dialogue {

// Texts must be well-formed UTF-8, as the readers see to.
nlohmann::json to_json(const Episode& episode);
// Throws nlohmann::json::exception where `json` is not what to_json gave.
Episode episode_from_json(const nlohmann::json& json);

}  // namespace straq::dialogue
