// Turns what went wrong, in libtorch too, into a failure of a point with its word.
#pragma once

#include <exception>

#include "results/rows/failure.h"

namespace straq::train {

// Any exception as a failure of a point, libtorch's among them (without their stack traces).
results::PointFailure as_failure(const std::exception& e);

}  // namespace straq::train
