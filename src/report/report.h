// `straq report`: a results folder in, a folder of tables, figures and one HTML file out. It reads
// only what runs wrote, so it works on a login node, without the corpora, models or a GPU, and as
// long after the run as the files exist.
//
//   OUT/report.html   everything in one file       OUT/tables/<id>.{csv,md,tex}
//   OUT/report.md     the same as Markdown         OUT/figures/<id>.{svg,png,pdf,dat,gp},
//                                                  <id>-column.pdf, style.gp
//   OUT/report.json   the names of all files above, so that the next report removes what it no
//                     longer writes
//   OUT/style.gp      the user's, loaded by every figure's script; never written by a report
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"
#include "report/latex/latex.h"

namespace straq::report {

struct ReportOptions {
  std::string out;                  // empty: <results>/report
  std::string gnuplot = "gnuplot";  // program's name or path
  std::string sensitivity;  // a parameter that is drawn beside those that index.csv says were swept
  int most_run_figures = 8;  // runs whose own figures are drawn; of more, the first ones
  // The paper's numbers; empty: configs/paper_reference.yaml below the current folder, and where
  // that is not there the one that the program was built with; "none": a report of one's own,
  // without the paper's rows, findings and verdicts.
  std::string paper;
  std::string rank_by;   // sorts Table 1 by a metric; "bias" is refused with the reason
  std::string proposed;  // the method that the tests compare the others with
  // Pairs of settings or runs that are compared (report/compare/comparison.h).
  std::vector<std::pair<std::string, std::string>> compare;
  std::string case_dialogue;         // of the case study; empty: chosen by coverage
  LatexOptions latex;                // of the .tex; its rows are filled from `methods`
  std::vector<std::string> methods;  // rows of the .tex of methods, in order; empty: all
  std::string style;  // a file of gnuplot that all figures load; empty: only OUT/style.gp
  std::string program = "straq";  // with its version, as the report names what made it
  bool reproduced = false;        // runs that were made again are rows of their own
};

struct ReportResult {
  std::vector<Table> results;  // results tables by split, the seeds and planning tables, if any
  std::vector<Table> tables;   // all tables, the overview first
  std::vector<std::string> warnings;
  std::vector<std::string> remarks;                          // what is left out on purpose
  std::vector<std::string> missing_tables, missing_figures;  // by name, with the reason
  std::string html;                                          // path of report.html
  std::string inputs_sha256;                                 // of all files that were read
  int runs = 0;
  int figures = 0;  // drawn
};

// Throws Error(input) when there is no run below `results`, when a named file of the paper's
// numbers cannot be read, for a ranking that is refused, and for a method, a setting or a run that
// is not there; Error(failure) when the folder cannot be written. A run that cannot be read, and
// gnuplot's absence or failure, become warnings and remarks in the report: what can be shown is
// shown.
ReportResult write_report(const std::string& results, const ReportOptions& options);

}  // namespace straq::report
