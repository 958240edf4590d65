// The tables of a report, from what read_results found. Every row names its run; what a run lacks
// is a row that says so, never a row left out. A table that no run has anything for has neither
// rows nor notes.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "results/results.h"

namespace straq::report {

// Every planned or present run: state, steps, evaluated splits, what is missing and why.
Table overview_table(const results::Results& results);

// One table for each split and set of decisions (runs on different corpora or limits are not
// comparable and get tables of their own): Acc, macro-F1, B with 95 % intervals by dialogue, n,
// seed, and below the planners the trivial baselines on the same decisions. Runs of the same
// experiment without an evaluation are rows marked with their state. An interval's cell holds [low,
// high].
std::vector<Table> results_tables(const results::Results& results);

// Runs that differ in nothing but their seed: mean, sample standard deviation and t interval over
// seeds. No rows when there are none.
Table seeds_table(const results::Results& results);

// Per strategy: support, how often predicted, recall (Acc), precision, F1, preference (B).
Table strategies_table(const std::vector<const results::Run*>& runs);

// What returns and rank correlations with them mean for planners that were trained to imitate;
// `strategies`: how many theirs are.
std::string imitation_return_note(const std::set<std::size_t>& strategies);

// Mean max-Q, Q of the chosen and of the gold strategy, return, rank correlations.
Table value_table(const results::Results& results);

// A judge model: what its scores look like and what they follow beside quality (order of the scale,
// length of the text, ties), and how far they agree with people who rated the same dialogues.
std::vector<Table> judge_tables(const results::Results& results);
// Where the human supporter's strategy stands in the order by Q, and how often the choice is one of
// the turn's strategies, with 95 % intervals by dialogue.
Table ranking_table(const results::Results& results);

// How well Q and the reward foresee the seekers' ratings, beside the mean rating of the strategy
// and a constant; a row a predictor.
Table foresight_table(const results::Results& results);

// Planners that were played in the simulator, beside policies whose value is known; a table for
// each simulated world.
std::vector<Table> planning_tables(const results::Results& results);

// Responders that were trained: how well they predict the corpus's replies, a row for each split.
Table responder_table(const results::Results& results);

// Per run and stage of metrics.jsonl: steps, loss at both ends, gradient norm, tokens.
Table training_table(const results::Results& results);

// Groups of evaluated runs of one experiment that share every parameter but `ignored` (their
// seed), in order of appearance.
struct Group {
  std::string experiment;
  std::string label;  // "learn.gamma=0.85", or the point's name when it has no parameters
  std::string name;   // the user's, where all of its runs are of a point that has one
  std::vector<const results::Run*> runs;
};
std::vector<Group> group_runs(const results::Results& results, const std::string& split,
                              const std::vector<std::string>& ignored);

// The same for runs that were played in the simulator; those of one group share the world, too.
std::vector<Group> played_groups(const results::Results& results);

// Moving average over `window` values centred on each (fewer at the ends): no lag, unlike an
// exponential average. window is taken as odd.
std::vector<double> smooth(const std::vector<double>& x, int window);
// The window used for a curve of n steps: about n / 20, at least 1.
int smoothing_window(std::size_t n);

}  // namespace straq::report
