// index.csv of an experiment's folder: one line a point, from what the folders tell.
//
// Several jobs write it at the same time without a lock, also jobs that know of other points: two
// sweeps of one name, a `straq train` beside a sweep. So what is written is a function of what lies
// in the folder: the run folders, and `.index/<hash>.json`, where each job leaves once, under a
// name that its content gives, which points it is about and what their parameters are. Whoever
// writes last has seen everything that came before.
//
// A sweep of thousands of points is not read again for each of them: a job looks at the folders
// whose state it has changed, and at all of them when it begins, when it ends, and when another job
// has written the index.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "results/point.h"
#include "results/rows/index_rows.h"
#include "results/sweep_state.h"

namespace straq::results {

class SweepIndex {
 public:
  // `points`: this job's, with all their parameters. Nothing is read or written yet.
  SweepIndex(std::string experiment_folder, const std::vector<Point>& points);
  SweepIndex(const SweepIndex&) = delete;
  SweepIndex& operator=(const SweepIndex&) = delete;

  // Writes index.csv. `running` names points that this job has just given to a group, whose folders
  // do not tell yet; `changed`, those whose folders have changed since the last time. `all`: looks
  // at every folder, writes, looks again, and writes again when they have changed meanwhile.
  // Throws Error(failure) where it cannot be written.
  void write(const std::vector<std::string>& running, const std::vector<std::string>& changed,
             bool all);
  // How many run folders were looked at so far.
  std::int64_t looks() const { return looks_; }

 private:
  using Definition = IndexPoints;  // the points of one job's config
  struct Row {
    std::string name;
    std::map<std::string, std::string> values;  // by parameter
    const Point* own = nullptr;
    bool config_read = false;  // values has what its config.yaml says
    PointState state = PointState::missing;
    std::string kind, reason;
  };
  // Which file index.csv is: another after another job has written it.
  struct Identity {
    std::uint64_t inode = 0, size = 0;
    std::int64_t seconds = -1, nanoseconds = 0;
    bool operator==(const Identity&) const = default;
  };

  void define();
  void read_definitions();
  void read_before();
  void find_rows();
  void look_at_all();
  void look(Row& row, double now);
  std::string value(Row& row, const std::string& key);
  std::string csv(const std::vector<std::string>& running);
  void put(const std::string& text);
  bool due() const;
  std::optional<Identity> identity() const;

  std::string folder_, path_;
  std::vector<Point> points_;
  std::string definition_;  // the name of this job's file
  bool defined_ = false;
  std::map<std::string, Definition> definitions_;  // by file name
  Definition before_;                              // what an index.csv without such files told
  bool before_read_ = false;
  std::vector<std::string> keys_;
  std::vector<Row> rows_;
  std::map<std::string, std::size_t> by_name_;
  std::string written_;
  std::optional<Identity> identity_;
  double next_pass_ = 0, last_pass_ = -1e9;  // monotonic seconds
  std::int64_t looks_ = 0;
};

}  // namespace straq::results
