// Where the points of a sweep stand, as their folders tell: index.csv, and what `straq sweep
// --status` shows. Reads only the results folder, so it works on a login node while jobs run.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "results/point.h"
#include "results/point_state.h"
#include "results/rows/failure.h"
#include "results/run_lock.h"

namespace straq::results {

// DONE; else running where somebody alive holds the folder; else FAILED; else stopped (there is a
// checkpoint to go on from); else missing.
// `now`: server_clock's, by which a lock's age counts; without it this host's clock.
PointState state_of(const std::string& experiment_folder, const Point& point,
                    std::optional<double> now = std::nullopt);

// Writes index.csv, once, from all folders: point,state,<parameters…>,kind,reason. `running` names
// points that this job has just given to a group, whose folders do not tell yet. A job that writes
// it again and again keeps a SweepIndex (results/sweep_index.h).
void write_index(const std::string& experiment_folder, const std::vector<Point>& points,
                 const std::vector<std::string>& running = {});

// A point as a person asks about it.
struct PointStatus {
  std::size_t index = 0;
  Point point;
  PointState state = PointState::missing;
  std::optional<LockHolder> holder;  // running: where and since when
  std::int64_t step = 0;             // of metrics.jsonl's last line
  std::int64_t total = 0;            // of the run; 0: not known yet
  double step_seconds = 0;           // mean of the last steps; 0: not known yet
  std::optional<FailureNote> failure;
  // Of training, from the last steps' mean; what follows it (evaluation) is not in it.
  std::optional<double> seconds_left() const;
  nlohmann::ordered_json to_json() const;
};
std::vector<PointStatus> sweep_status(const std::string& experiment_folder,
                                      const std::vector<Point>& points);

// One line a point, and a note that counts the states.
Table status_table(const std::vector<PointStatus>& points);
// {experiment_folder, counts, points}.
nlohmann::ordered_json status_json(const std::string& experiment_folder,
                                   const std::vector<PointStatus>& points);

}  // namespace straq::results
