// Cells that carry an estimate: a value with its interval, how many decisions and seeds it rests
// on, and whether a test lets it stand out. The cell's JSON value holds all of it; every format
// shows what it can: text and Markdown "30.12 ±1.20", CSV a column for each part, LaTeX and HTML
// the emphasis too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/tables/table.h"
#include "metrics/statistics.h"

namespace straq::report {

struct Estimate {
  double value = 0;                           // over several seeds: their mean
  std::optional<metrics::Interval> interval;  // 95 %, sampling of dialogues; mean over seeds
  std::int64_t n = 0;                         // decisions, replies or ratings
  int seeds = 1;
  std::optional<double> seed_sd;  // sample standard deviation over seeds, apart from the interval
};

// How a cell stands out. `noise`: the best or not told apart from it by the test.
enum class Emphasis { none, best, second, noise };

// "30.12 ±1.20 (sd 0.40)"; ± is half the interval's width. The JSON value: {"value", "low", "high",
// "n", "seeds", "seed_sd", "mark"}, absent parts left out.
Cell estimate_cell(const Estimate& estimate, int decimals);

// Sets the mark of an estimate's cell; `noise` appends the sign ≈ to its text.
void emphasise(Cell& cell, Emphasis emphasis);
Emphasis emphasis_of(const Cell& cell);

// A p-value with four decimals; one that would round to nothing is shown as "<0.0001".
Cell p_cell(double p);

// A number that the paper prints; a doubtful one gets a dagger.
Cell paper_cell(const std::optional<std::string>& text, bool doubtful);

// A cell of ours that is missing, in words.
Cell missing_cell(const std::string& why = "missing");

// A copy in which each column of [low, high] cells became two columns and each column of estimates
// one for every part that any of its cells has: for CSV and spreadsheets.
Table flatten_cells(const Table& table);

// Markdown with emphasis: best in bold, second underlined. Text of the table stays text, whatever
// markup it contains (core/tables/markup.h).
std::string to_markdown(const Table& table);

// A LaTeX table with booktabs rules, complete but for a document around it; `label` for \ref.
// Needs the packages booktabs and graphicx (a wide table is scaled to the line).
std::string to_latex(const Table& table, const std::string& label);

// Text for LaTeX: its special characters and the signs that our tables use.
std::string escape_latex(const std::string& text);

}  // namespace straq::report
