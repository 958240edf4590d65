// Trains and evaluates one point: what a learner does with a task. All learners of a group run it
// together; the leader (rank 0 of the collectives) alone writes files.
#pragma once

#include <string>

#include "experiment/experiment.h"
#include "results/run_folder.h"
#include "train/director.h"
#include "train/learner_group.h"

namespace straq::train {

struct PointTask {
  std::string name;
  config::Value config;  // resolved
  std::string run_folder;
  std::string shard_folder;      // of its data set
  std::string key;               // ShardKey::hex()
  std::string tokenizer;         // its place: a copy of it goes into the planner's folder
  bool retry = true;             // also when an earlier attempt has failed
  RunInputs inputs;              // as the coordinator sees them: for a DONE that appears meanwhile
  bool continue_anyway = false;  // from a checkpoint or a DONE of other inputs
};

struct PointResult {
  ErrorKind kind = ErrorKind::failure;
  bool ok = false;
  bool busy = false;   // another job holds the folder: nothing was done
  std::string reason;  // of a failure
  results::FailureKind failure = results::FailureKind::other;
};

// Never throws for a failure that all learners share (bad shards, bad config, divergence, whatever
// one of them met outside of a step): it is written to FAILED and returned. A run that was stopped
// on request has a checkpoint and is returned as ErrorKind::stopped; the next call for the same
// folder goes on there. A failure of one learner alone during a step throws where it has others in
// its group, after it was written down: the job must then be ended, for the others wait in a
// collective.
PointResult run_point(const PointTask& task, LearnerGroup& learners, Director& director,
                      const comm::Layout& layout);

// Evaluates a finished run's planner again, on `splits` (empty: those of its config), and rewrites
// predictions and evaluation.json under the run folder's lock. Shards must be there. All learners
// of the group call it; what it throws, it throws on all (SharedFailure).
void evaluate_run(const std::string& run_folder, const std::vector<std::string>& splits,
                  LearnerGroup& learners);

}  // namespace straq::train
