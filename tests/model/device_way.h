// On which device the tests of the model and of the learner run, and which way they take there:
//
//   STRAQ_TEST_DEVICE=cuda          the learner's tests on a GPU (tests/gpu.sh)
//   STRAQ_TEST_ROW_KERNELS=off      on a CPU, but by libtorch's operators, as on a device
//
// ctest runs the model's and the learner's tests a second time with the kernels off, so that a CPU
// checks all that it can of what a GPU does.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <cstdlib>
#include <string>

#include "model/row_kernels.h"

namespace straq::testing {

inline at::Device device() {
  const char* name = std::getenv("STRAQ_TEST_DEVICE");
  return at::Device(name == nullptr ? std::string("cpu") : std::string(name));
}

// Before main: a program of tests includes this header somewhere.
inline const bool way_chosen = [] {
  const char* kernels = std::getenv("STRAQ_TEST_ROW_KERNELS");
  model::row_kernels_allowed = kernels == nullptr || std::string(kernels) != "off";
  // Comparisons to the last bits of fp32.
  at::globalContext().setAllowTF32CuBLAS(false);
  return true;
}();

}  // namespace straq::testing
