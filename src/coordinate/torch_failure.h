// Turns what went wrong, in libtorch too, into a failure of a point with its word.
#pragma once

#include <exception>

#include "coordinate/failure.h"

namespace straq::coordinate {

// Any exception as a failure of a point, libtorch's among them (without their stack traces).
PointFailure as_failure(const std::exception& e);

}  // namespace straq::coordinate
