// The training loop of one point, from wherever it stands to its end: stages, leases, target syncs,
// evaluations, checkpoints. All learners of a group run it together; the leader (rank 0 of the
// collectives) alone writes files. What it does at a step follows from the step and the config, so
// a run that was stopped and continued makes the same numbers as one that was not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/collectives/collectives.h"
#include "comm/roles.h"
#include "core/files/files.h"
#include "experiment/experiment.h"
#include "experiment/stages.h"
#include "learn/checkpoint.h"
#include "learn/learner.h"
#include "results/run_folder.h"
#include "results/run_lock.h"
#include "shard/dataset.h"
#include "train/director.h"

namespace straq::train {

class Trainer {
 public:
  // What the trainer works with; all of it outlives the trainer.
  struct Context {
    const std::string& name;  // of the point, for logs
    const experiment::ExperimentConfig& config;
    const shard::DatasetView& data;  // train, and the validation split where it is evaluated
    const learn::CombSizes& sizes;   // of train
    const results::RunFolder& folder;
    const learn::CheckpointIdentity& identity;
    const nlohmann::ordered_json& continued_anyway;  // for its checkpoints
    learn::Learner& learner;
    comm::Collectives& group;
    Director& director;
    const comm::Layout& layout;
    const results::RunLock* lock;  // the leader's; null elsewhere
    planner::PackOfSplit pack_of;  // for evaluations; empty: plainly
  };
  explicit Trainer(const Context& context);
  ~Trainer();

  // Throws Error(input) when a checkpoint stands beyond what this run's stages have: of a run whose
  // corpus or settings were others.
  void require_within(const learn::Checkpoint& from) const;
  // Trains to the end, from a checkpoint or from the start. Throws SharedFailure on every learner:
  // diverged, stopped (with a checkpoint), or a failure that all share. Anything else is one
  // learner's alone, during a step.
  void run(const std::optional<learn::Checkpoint>& from);
  // The best weights of the run into the online network; keeps the last ones where no evaluation
  // has found any.
  void load_best();
  std::int64_t total_steps() const { return total_steps_; }

 private:
  enum class Leave { stage_done, run_done };
  bool leader() const { return context_.group.rank() == 0; }
  Leave run_stage(const experiment::Stage& stage, const std::optional<learn::Checkpoint>& from);
  void begin_stage(const experiment::Stage& stage, const std::optional<learn::Checkpoint>& from);
  comm::Directive report_and_ask();  // at a lease boundary
  void carry_out(const comm::Directive& directive, const experiment::Stage& stage);  // but its stop
  void take_step(const experiment::Stage& stage, learn::PlanStream& plans);
  bool out_of_bounds(const experiment::Stage& stage, const learn::StepMetrics& m) const;
  void evaluate(const experiment::Stage& stage);
  void save_best();
  void save_checkpoint();
  void stop(comm::Stop reason);
  // The leader's: returns when all that was to be written is; throws what kept it from that.
  void complete_writes();
  // Runs on the leader; an error is kept for the next boundary, where all learners hear of it.
  template <class F>
  void leader_writes(F&& f);
  learn::CheckpointRecord record() const;

  Context context_;
  std::vector<experiment::Stage> stages_;
  std::int64_t total_steps_ = 0;
  std::unique_ptr<const learn::Reward> reward_;  // fitted to the train split
  learn::CombTransitions transitions_;
  learn::TransitionSource held_transitions_;  // the same where train is in memory
  learn::Progress progress_;
  comm::Status status_;
  std::optional<LineWriter> metrics_, timings_, evaluations_;  // the leader's
  std::unique_ptr<learn::CheckpointWriter> writer_;            // the leader's
  std::optional<results::PointFailure> failure_;               // the leader's
  learn::StepMetrics last_;                                    // of the newest step
  double start_ = 0, last_log_ = 0;
};

}  // namespace straq::train
