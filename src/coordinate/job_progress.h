// What a job has to do, from its config and from what lies in the folders, and what came of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinate/dataset_job.h"
#include "coordinate/work_queue.h"
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
  std::string failure;   // the first item that failed
  results::FailureKind failure_kind = results::FailureKind::bad_input;
  ErrorKind failure_error = ErrorKind::input;
  // Of this job's shards, for its log.
  std::int64_t dialogues_to_make = 0, dialogues_made = 0, tokens_made = 0;
  double started = 0, said = 0;
  // Says now and then how fast it goes and what is left, when a shard has been made.
  void tell(const shard::ShardRecord& made);
  // Held while shards are being made: two jobs that make them would overwrite each other's
  // manifest.
  std::unique_ptr<results::RunLock> lock;
  // Its points fail, and no others.
  void fail(const shard::WorkItem& item, const results::PointFailure& e);
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
class JobProgress {
 public:
  // Expands points, reads corpora, trains tokenizers, surveys shards. Throws Error(input) for
  // anything wrong with config or data, before any rank starts to work; also where shards are
  // missing and `plan` does not make them.
  explicit JobProgress(const JobPlan& plan);

  std::vector<PointJob>& points() { return points_; }
  // This job's points in the order in which they are begun: the costliest first, so that the last
  // ones to run are short.
  const std::vector<std::size_t>& order() const { return order_; }
  // Looks again at points that another job held. True when one is free now (that job has died).
  bool revisit();
  std::vector<DatasetProgress>& datasets() { return datasets_; }
  // The shards to be made; a lot is a data set, by its place in datasets().
  WorkQueue<shard::WorkItem>& shards() { return shards_; }
  // The outcome of the oldest item that `holder` took of them. Throws what DatasetJob::add throws,
  // and then the item has still to be said to have failed.
  void shard_made(int holder, const shard::ShardRecord& record);
  void shard_failed(int holder, const results::PointFailure& e);
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
  void survey_dataset(std::size_t dataset, const JobPlan& plan);
  // Gives up its lock when nothing more is made of it.
  void release_if_over(std::size_t dataset);
  void look_at_folder(PointJob& job);

  std::string folder_;
  bool learn_ = true, sweep_ = false, retry_ = true, continue_anyway_ = false;
  bool stopping_ = false;
  bool shards_left_ = false;  // when it stopped
  std::vector<PointJob> points_;
  std::vector<std::size_t> order_;
  std::vector<DatasetProgress> datasets_;
  WorkQueue<shard::WorkItem> shards_;
  std::unique_ptr<results::SweepIndex> index_;
  std::vector<std::pair<results::PointState, bool>>
      indexed_;                // the points' states in it, and `elsewhere`
  std::string index_trouble_;  // why it could not be written, when it was last tried
};

}  // namespace straq::coordinate
