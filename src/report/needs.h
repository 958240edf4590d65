// What a results folder can have that a table or a figure is made from: a small closed set. Each
// says in one sentence what is missing where the folder has none, and what would make it.
#pragma once

#include "results/results.h"

namespace straq::report {

enum class Need {
  losses,  // steps of metrics.jsonl, and what they hold
  td_errors,
  max_q,
  gradient_norms,
  timings,
  validations,  // evaluations during training
  evaluations,
  predictions,
  q_values,  // in an evaluation
  rankings,
  seekers_ratings,
  seeds,    // evaluated runs that differ in nothing else
  methods,  // numbers on ESConv's test split: of a planner, or of replies
  ablations,
  replies,
  zero_shot_replies,
  rewards,        // a judge's scores, or a planner's values
  corpus_scores,  // a judge's, of the corpus's own replies
  judgements,     // a judge's scores of anything
  ratings,
  strategies_listed,  // tables of dataset.json
  emotions_counted,
  corpora_measured,
  discounts_swept,  // planned
  discounts_evaluated,
  sizes_swept,
  sizes_evaluated,
  sweep_replies,
  played  // in the simulator
};

// "no run has an evaluation.json that can be read"
const char* absence(Need need);
// A command, or a file that other programs write: "straq evaluate RUN".
const char* remedy(Need need);

// Whether a run has it; false for what only a folder can have.
bool has(const results::Run& run, Need need);
bool has(const results::Results& results, Need need);

}  // namespace straq::report
