// A results folder as the report sees it: experiments, their points, and for each point what is
// there, what is missing and what cannot be read. Runs are written by other processes, on other
// days, and some die half-way: reading never stops at a bad file. It is named, with its line, and
// the rest is reported.
//
//   results/<experiment>/index.csv      point,state,<parameter>…,reason  (one line a planned point)
//   results/<experiment>/<point>/       config.yaml provenance.json metrics.jsonl
//                                       predictions/<split>.jsonl evaluation.json DONE | FAILED
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/evaluation.h"

namespace straq::report {

// One line of metrics.jsonl; a field that the line lacks is empty.
struct Step {
  long step = 0;
  std::string stage;
  std::optional<double> loss, td_loss, grad_norm, max_q, q_mean;
  std::optional<double> tokens, decisions;
};

enum class State {
  done,         // DONE is there
  failed,       // FAILED is there
  unfinished,   // a folder with neither: running, stopped or killed
  not_started,  // in index.csv, no folder
};
std::string to_word(State state);

struct Run {
  std::string experiment, point;
  std::string path;  // empty when not started
  State state = State::not_started;
  std::string reason;                                           // of a failure: what FAILED says
  std::vector<std::pair<std::string, std::string>> parameters;  // index.csv's columns, in order
  std::string config;                                           // config.yaml as it is
  std::string provenance;                                       // provenance.json, indented
  std::vector<std::pair<std::string, std::string>> settings;    // config.yaml, keys dotted
  std::vector<Step> steps;
  std::optional<metrics::Evaluation> evaluation;
  std::vector<std::string> missing;   // files that a finished run has and this one lacks
  std::vector<std::string> problems;  // what could not be read, with file and line

  std::string name() const { return experiment + "/" + point; }
  // A parameter by its dotted key: from index.csv, else from config.yaml.
  std::optional<std::string> parameter(const std::string& key) const;
  // "seed", else "learn.seed", else "train.seed".
  std::optional<std::string> seed() const;
  const metrics::SplitEvaluation* split(const std::string& name) const;
};

struct Experiment {
  std::string name;       // path below the results folder
  std::vector<Run> runs;  // in index.csv's order, then by name
  std::vector<std::string> problems;
};

struct Results {
  std::string name;  // the folder's own name
  std::vector<Experiment> experiments;

  // Every run, in order. Points into this object.
  std::vector<const Run*> runs() const;
  // The splits that any run was evaluated on, "test" first.
  std::vector<std::string> splits() const;
};

// Reads `path`: a results folder, one experiment or one run. Throws Error(input) when it does not
// exist or holds no run at all; everything else becomes a problem of its run or experiment.
Results read_results(const std::string& path);

}  // namespace straq::report
