// The coordinator's rank and its one loop: it hands out work items to preprocessors and points to
// learner groups, answers lease boundaries, and keeps manifests and index.csv true. It never
// computes; it sleeps between messages.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/roles.h"
#include "coordinate/dataset_job.h"
#include "experiment/experiment.h"
#include "experiment/sweep.h"
#include "results/run_lock.h"
#include "results/sweep_index.h"
#include "results/sweep_state.h"
#include "train/point_runner.h"

namespace straq::coordinate {

// What a job is asked to do.
struct JobPlan {
  config::Value config;    // the whole config file, with its sweep section
  bool preprocess = true;  // make the shards that are missing
  bool learn = true;       // train the points
  // One of possibly many jobs that fill the same folder: points that others work on are theirs, and
  // points that have failed stay so unless retry_failed.
  bool sweep = false;
  bool retry_failed = false;
  bool continue_anyway = false;  // take checkpoints and DONE of other inputs for these points'
  std::optional<std::vector<std::size_t>> only = {};  // points, by index; the others are left alone
  int hang_rank = -1;                                 // --hang-rank
  std::int64_t hang_step = 0;
  bool alone = false;  // one process in all roles (run_job's)
};

// One point on its way: its config, its data set and how it ended.
struct PointJob {
  results::Point point;
  experiment::ExperimentConfig config;
  std::size_t dataset = 0;
  bool selected = true;    // this job is to do it
  bool elsewhere = false;  // another job holds its folder
  RunInputs inputs;        // empty where they cannot be known: its model cannot be read
  double flops = 0;        // estimated, of the whole run
  results::PointState state = results::PointState::missing;
  train::PointResult result;
  // Of a point that seemed free and was held after all: not looked at again before (monotonic
  // seconds), and how often that has happened.
  bool offered = false;
  int surprises = 0;
  double not_before = 0;
  void note(train::PointResult ended);  // how this job's attempt went
};

// One data set on its way.
struct DatasetProgress {
  std::unique_ptr<DatasetJob> job;
  config::Value config;  // resolved, for preprocessors
  std::deque<shard::WorkItem> pending;
  int in_flight = 0;
  std::string failure;  // the first item that failed
  results::FailureKind failure_kind = results::FailureKind::bad_input;
  ErrorKind failure_error = ErrorKind::input;
  // Held while shards are being made: two jobs that make them would overwrite each other's
  // manifest.
  std::unique_ptr<results::RunLock> lock;
  // Nothing more is made of it: its points fail, and no others.
  void fail(const shard::WorkItem& item, const results::PointFailure& e);
  void release_if_over() {
    const bool over = job->manifest().complete() || (!failure.empty() && in_flight == 0);
    if (lock && over) lock.reset();
  }
  // A point can start: the splits that it trains with are there.
  bool ready(const std::vector<std::string>& splits) const {
    return failure.empty() && std::all_of(splits.begin(), splits.end(), [&](const auto& split) {
             return job->manifest().complete(split);
           });
  }
  bool complete() const { return failure.empty() && job->manifest().complete(); }
};

// Everything that a job has to do and what came of it; shared by the coordinator's rank and by a
// process that is alone.
class Ledger {
 public:
  // Expands points, reads corpora, trains tokenizers, surveys shards. Throws Error(input) for
  // anything wrong with config or data, before any rank starts to work; also where shards are
  // missing and `plan` does not make them.
  explicit Ledger(const JobPlan& plan);

  std::vector<PointJob>& points() { return points_; }
  // This job's points in the order in which they are begun: the costliest first, so that the last
  // ones to run are short.
  const std::vector<std::size_t>& order() const { return order_; }
  // Looks again at points that another job held. True when one is free now (that job has died).
  bool revisit();
  std::vector<DatasetProgress>& datasets() { return datasets_; }
  const std::string& folder() const { return folder_; }  // results/<experiment>

  train::PointTask task(const PointJob& job) const;
  // The failure of a point whose data set could not be made: FAILED, index and exit code.
  void fail_without_data(PointJob& job);
  // Brings index.csv up to date: with the points whose state has changed, or from all folders.
  // Never throws: the index is derived, and a job that cannot write it says so and goes on.
  void update_index(bool all = false);
  // Nothing new begins from now on: a signal has reached the job.
  void stop();
  bool stopping() const { return stopping_; }
  // 0 when all is done; 75 when the job was stopped before it was; else the exit code of the first
  // failure.
  int exit_code() const;
  void log_summary() const;

 private:
  void open_dataset(PointJob& job, const JobPlan& plan, std::map<std::string, std::size_t>& known);
  void survey_dataset(DatasetProgress& progress, const JobPlan& plan);
  void look_at_folder(PointJob& job);

  std::string folder_;
  bool learn_ = true, sweep_ = false, retry_ = true, continue_anyway_ = false;
  bool stopping_ = false;
  bool shards_left_ = false;  // when it stopped
  std::vector<PointJob> points_;
  std::vector<std::size_t> order_;
  std::vector<DatasetProgress> datasets_;
  std::unique_ptr<results::SweepIndex> index_;
  std::vector<std::pair<results::PointState, bool>>
      indexed_;                // the points' states in it, and `elsewhere`
  std::string index_trouble_;  // why it could not be written, when it was last tried
};

class Coordinator {
 public:
  Coordinator(const comm::World& world, const comm::Layout& layout, const comm::Groups& groups,
              Ledger& ledger);
  // Until everybody was told to finish; returns the job's exit code, which all ranks get.
  int run();

 private:
  struct Group {
    bool waiting = false;   // for a point
    bool awaiting = false;  // for the rest of its data set
    bool finished = false;
    std::size_t point = 0;
    bool busy = false;
    bool begun = false;  // its leader holds the point's folder
    train::Pacer pacer;
  };
  void handle(const comm::Message& message);
  void handle_preprocessor(const comm::Message& message);
  void handle_leader(int group, const comm::Message& message);
  void stop(const std::string& who);
  void feed_preprocessor(int rank);
  void feed_groups();
  bool assign_point(int group);
  void to_group(int group, const comm::Json& body) const;
  int group_of_leader(int rank) const;

  const comm::Layout& layout_;
  const comm::Groups& groups_;
  Ledger& ledger_;
  comm::Communicator control_;
  std::vector<Group> state_;
  std::vector<int> idle_preprocessors_;  // a rank stands here once for every item it could take
  // Items handed out, by preprocessor rank, in the order in which it works on them.
  std::map<int, std::deque<std::pair<std::size_t, shard::WorkItem>>> in_hand_;
};

// The other two loops. Each returns the job's exit code.
int run_preprocessor(const comm::World& world);
int run_learner(const comm::World& world, const comm::Layout& layout, const comm::Groups& groups);

// A job on this world: plans the roles, runs this rank's, returns the job's exit code on every
// rank. Throws comm::SharedError, on every rank, for settings that a rank cannot read or that ask
// for roles which the world has no room for.
int run_job(const comm::World& world, const JobPlan& plan);

}  // namespace straq::coordinate
