// How selections of dialogues become one packed batch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/comb_batch.h"

namespace straq::planner {

// A batch on the host: what model::pack gives, or that with what is known already of its rows
// (learn/frozen_states.h). Its readout_rows are in model::pack's order.
using Pack = std::function<model::CombBatch(const std::vector<model::CombSelection>&)>;

// The same for the dialogues of a split, by its name; those that are packed later outlive it.
using PackOfSplit =
    std::function<Pack(const std::string& split, const std::vector<prompt::Comb>& combs)>;

inline model::CombBatch pack_plainly(const std::vector<model::CombSelection>& selections) {
  return model::pack(selections, at::kCPU);
}

}  // namespace straq::planner
