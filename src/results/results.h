// A results folder as the report sees it: experiments, their points, and for each point what is
// there, what is missing and what cannot be read. Runs are written by other processes, on other
// days, and some die half-way: reading never stops at a bad file. It is named, with its line, and
// the rest is reported.
//
// results/layout.h names the files.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"
#include "metrics/evaluation.h"
#include "results/point_state.h"
#include "results/rows/provenance.h"
#include "results/rows/replies.h"
#include "results/rows/reply_loss.h"
#include "results/rows/simulation.h"
#include "results/rows/steps.h"

namespace straq::results {

struct Run {
  std::string experiment, point;
  std::string path;                                             // empty when not started
  PointState state = PointState::missing;                       // by its markers
  std::string reason;                                           // of a failure: what FAILED says
  std::vector<std::pair<std::string, std::string>> parameters;  // index.csv's columns, in order
  std::string config;                                           // config.yaml as it is
  std::string provenance;                                       // provenance.json, indented
  Provenance known;                                             // its fields that are there
  std::vector<std::pair<std::string, std::string>> settings;    // config.yaml, keys dotted
  std::vector<Step> steps;
  std::vector<ValidationRow> validations;  // evaluations during training
  std::optional<metrics::Evaluation> evaluation;
  std::optional<Simulation> simulation;     // of a planner that was played in the simulator
  std::optional<ReplyLosses> reply_losses;  // of a responder
  std::vector<ReplyFile> replies;           // responses/, by name
  std::vector<JudgeFile> judged;            // judge/, by name
  std::vector<JudgeFile> rated;             // human/, by name
  std::vector<std::string> missing;         // files that a finished run has and this one lacks
  std::vector<std::string> problems;        // what could not be read, with file and line

  std::string name() const { return experiment + "/" + point; }
  // A parameter by its dotted key: from index.csv, else from config.yaml.
  std::optional<std::string> parameter(const std::string& key) const;
  // The first of kSeedKeys that is there.
  std::optional<std::string> seed() const;
  // What the author of a sweep called this point (results/point_name.h).
  std::optional<std::string> given_name() const;
  const metrics::SplitEvaluation* split(const std::string& name) const;
};

// The keys that may hold a run's seed, in the order in which they are looked for.
inline const std::vector<std::string> kSeedKeys = {"seed", "learn.seed", "train.seed"};
bool is_seed(const std::string& key);

struct Experiment {
  std::string name;       // path below the results folder
  std::vector<Run> runs;  // in index.csv's order, then by name
  std::vector<std::string> problems;
};

// The tables of one dataset.json.
struct DatasetFile {
  std::string path;  // from the results folder on
  std::vector<Table> tables;
};

struct Results {
  std::string name;  // the folder's own name
  std::vector<Experiment> experiments;
  std::vector<DatasetFile> datasets;
  std::vector<std::string> problems;  // of files that belong to no experiment
  // Folders of runs that were made again (kReproducedFolder), which were not read.
  std::vector<std::string> left_out;

  std::string prefix;  // of paths on this machine, up to the results folder

  // A message with paths from the results folder on: a report may travel, its machine's paths not.
  std::string shortened(std::string message) const;
  // Every run, in order. Points into this object.
  std::vector<const Run*> runs() const;
  // The splits that any run was evaluated on, "test" first.
  std::vector<std::string> splits() const;
};

struct ReadOptions {
  // Runs below kReproducedFolder too: they are the same runs again, and would count twice.
  bool reproduced = false;
};

// Reads `path`: a results folder, one experiment or one run. Throws Error(input) when it does not
// exist or holds no run at all; everything else becomes a problem of its run or experiment.
Results read_results(const std::string& path, const ReadOptions& options = {});

// The rows of predictions/<split>.jsonl, read when they are wanted: they are most of a results
// folder's bytes. Nothing when the file is absent
// or no evaluation says how many strategies there are; throws Error(input) when it cannot be read.
std::optional<std::vector<metrics::Prediction>> read_predictions_of(const Run& run,
                                                                    const std::string& split);

}  // namespace straq::results
