#include "train/torch_failure.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace straq::train {
namespace {

Error out_of_memory(const std::string& what) {
  return {ErrorKind::failure, "out of memory: " + what,
          "lower learn.micro_tokens or prompt.window, set model.recompute or learn.zero1, or take "
          "more memory; `straq estimate` says what a config needs"};
}

}  // namespace

results::PointFailure as_failure(const std::exception& e) {
  if (const auto* known = dynamic_cast<const results::PointFailure*>(&e)) return *known;
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    switch (error->kind()) {
      case ErrorKind::diverged:
        return {results::FailureKind::diverged, *error};
      case ErrorKind::input:
        return {results::FailureKind::bad_input, *error};
      default:
        return {results::FailureKind::other, *error};
    }
  }
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    return {results::FailureKind::out_of_memory, out_of_memory("the system refused an allocation")};
  }
  if (const auto* torch = dynamic_cast<const c10::Error*>(&e)) {
    const std::string what = torch->what_without_backtrace();
    // The CPU's allocator throws a plain error.
    const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
                        what.find("allocate memory") != std::string::npos ||
                        what.find("out of memory") != std::string::npos;
    if (memory) return {results::FailureKind::out_of_memory, out_of_memory(what)};
    return {results::FailureKind::other, Error(ErrorKind::failure, what)};
  }
  return {results::FailureKind::other, Error(ErrorKind::failure, e.what())};
}

}  // namespace straq::train
