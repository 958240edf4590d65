// The loops of the ranks that work: they take orders from the coordinator until it says "finish".
#pragma once

#include <functional>

#include "comm/directive.h"
#include "coordinate/order_line.h"
#include "train/director.h"
#include "train/point_runner.h"

namespace straq::coordinate {

// Makes shards. Returns the job's exit code.
int run_preprocessor(OrderLine& orders);

// What a learner does with a point (train::run_point, with the learners of its group).
using RunPoint = std::function<train::PointResult(const train::PointTask&, train::Director&)>;
// Runs points with its group. Returns the job's exit code.
int run_learner(OrderLine& orders, comm::DirectiveLine& directives, bool leader,
                const RunPoint& run_point);

}  // namespace straq::coordinate
