// The figures of a report: for each a data file and a gnuplot script that reads it and writes an
// SVG, a PNG and a PDF. Colours keep their order of lightness, so heat maps read in grey, and lines
// differ by dash and mark as well as by hue (Okabe and Ito's palette), so that colour-blind readers
// can tell them apart.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "report/rows/reply_scores.h"
#include "results/results.h"

namespace straq::report {

struct Figure {
  std::string id;                     // file name without ending: letters, digits, '-', '_' and '.'
  std::string title;                  // short, drawn in the figure
  std::string caption;                // one or two sentences with n and seeds
  std::string as_paper = {};          // "Figure 5": the paper's that is like it, if any
  std::string data;                   // <id>.dat
  std::string script;                 // <id>.gp; run in the figures folder
  const results::Run* run = nullptr;  // whose it is; null for figures over several runs
  // The entries of the report's contents (report/contents.h) that it shows: "loss", "max_q", …
  std::set<std::string> shows;
  bool drawn = false;  // set once the pictures are there
};

// As the paper's Figure 3: the loss of every stage over steps, raw and smoothed. Nothing when no
// step has a loss.
std::vector<Figure> loss_figures(const results::Run& run);

// As the paper's Figure 4, per split: gold against predicted strategies, and strategies at
// successive decisions, rows normalised.
std::vector<Figure> strategy_figures(const results::Run& run);

// What a run says of its own training besides the loss: TD error, drift of max Q, gradient norm.
std::vector<Figure> training_figures(const results::Run& run);
// Its throughput, where timings.jsonl is there.
std::vector<Figure> throughput_figures(const results::Run& run);

// Learned Q against Q*, of a run that was played in the simulator.
std::vector<Figure> planning_figures(const results::Run& run);

// From the rows of predictions/<split>.jsonl: mean return by Q (calibration), strategies by
// progress through the dialogue, how often each strategy's choice is right.
std::vector<Figure> decision_figures(const results::Run& run, const std::string& split,
                                     const std::vector<metrics::Prediction>& rows);

// As the paper's Figure 5 (for the discount and model sizes): the metrics of choices, and of
// replies where runs have some of their own planner, over a parameter; one figure for each
// experiment and split that has at least two of its values; one line for each setting of the other
// parameters; mean over seeds, bars of one standard deviation where there are several, of replies
// where several runs of a point have them. Values that are no numbers (model shapes) stand side by
// side in order of appearance. `scored`: the scores of replies that are known already; the others
// are computed.
std::vector<Figure> sensitivity_figures(const results::Results& results,
                                        const std::string& parameter,
                                        const ScoredReplies& scored = {});
// The same of one experiment.
std::vector<Figure> sensitivity_figures(const results::Results& results,
                                        const results::Experiment& experiment,
                                        const std::string& parameter,
                                        const ScoredReplies& scored = {});

// How a run did on the splits that it was evaluated on while it trained (evaluations.jsonl): Acc,
// macro-F1 and B over steps, the best weights marked.
std::vector<Figure> validation_figures(const results::Run& run);
// The runs of each experiment with such evaluations in one figure: a line for each setting, the
// mean over its seeds, in a band from the least to the most of them, and each seed faintly.
std::vector<Figure> validation_overlays(const results::Results& results);

// A figure of one run, `kind` with its names and title set: "loss-gamma-g80", and of a split where
// there is one.
Figure start_figure(const results::Run& run, const std::string& kind, const std::string& split,
                    const std::string& title);

// Gives every figure an id of its own by numbering those that collide.
void make_ids_unique(std::vector<Figure>& figures);

// Letters, digits, '-', '_' and '.'; everything else becomes '-'.
std::string slug(const std::string& text);

}  // namespace straq::report
