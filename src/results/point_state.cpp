#include "results/point_state.h"

#include <filesystem>

#include "results/layout.h"

namespace straq::results {
namespace fs = std::filesystem;

const char* name(PointState state) {
  switch (state) {
    case PointState::missing:
      return "missing";
    case PointState::unfinished:
      return "unfinished";
    case PointState::running:
      return "running";
    case PointState::stopped:
      return "stopped";
    case PointState::done:
      return "done";
    case PointState::failed:
      return "failed";
  }
  return "?";
}

std::string to_word(PointState state) {
  return state == PointState::missing ? "not started" : name(state);
}

PointState marked_state(const std::string& run_folder) {
  const fs::path folder(run_folder);
  std::error_code ec;
  if (fs::exists(folder / kDoneFile, ec)) return PointState::done;
  if (fs::exists(folder / kFailedFile, ec)) return PointState::failed;
  return fs::exists(folder, ec) ? PointState::unfinished : PointState::missing;
}

}  // namespace straq::results
