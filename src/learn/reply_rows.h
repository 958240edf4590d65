// The rows of a batch of responders' combs at which their targets are predicted.
#pragma once

#include <cstdint>
#include <vector>

#include "model/comb_batch.h"

namespace straq::learn {

// Of each token of the selections' targets, selection by selection within a span of the batch: the
// row that predicts it, its id, which selection it is of, and whether it is of the reply itself or
// of what stands in front of it.
struct TargetRows {
  std::vector<std::int64_t> row, token;
  std::vector<std::int32_t> selection;
  std::vector<bool> reply;
};
// `batch` is model::pack's of the selections.
TargetRows target_rows(const model::CombBatch& batch,
                       const std::vector<model::CombSelection>& selections);

}  // namespace straq::learn
