// Cells that carry more than a value: its interval, how many decisions and seeds it rests on,
// whether a test lets it stand out, and the paper's own number. The cell's JSON value holds all of
// it; every format shows what it can: text "30.12 ±1.20", Markdown, LaTeX and HTML the emphasis
// and, small or in brackets, the paper's number too, CSV a column for each part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/estimate.h"

namespace straq::report {

// "30.12 ±1.20 (sd 0.40)"; ± is half the interval's width. An interval whose ends are not about as
// far from the number, or that does not hold it, is shown as it is: "0.507 [0.461, 0.596]". The
// JSON value: {"value", "low", "high", "n", "seeds", "seed_sd", "mark"}, absent parts left out.
Cell estimate_cell(const Estimate& estimate, int decimals);

// Numbers that are too few for an interval, one by one: "36.01; 53.96".
Cell values_cell(const std::vector<double>& values, int decimals);

// Sets the mark of an estimate's cell; noise appends the sign ≈ to its text, "≈s" or "≈d" where
// seeds or dialogues alone do not uphold the lead.
void emphasise(Cell& cell, Emphasis emphasis);
Emphasis emphasis_of(const Cell& cell);

// A p-value with four decimals; one that would round to nothing is shown as "<0.0001".
Cell p_cell(double p);

// Our cell with what the paper prints in its place; a doubtful number gets a dagger. The JSON value
// becomes {"value", …, "paper", "paper_text"}, without "value" where we have nothing. Nothing of
// the paper's: ours as it is.
Cell beside_paper(Cell ours, const std::optional<std::string>& paper, bool doubtful);
// "25.11†" of such a cell; empty: the paper has nothing there.
std::string paper_text(const Cell& cell);
// Which columns of a table have a cell with a number of the paper's.
std::vector<bool> paper_columns(const Table& table);
// A number of the paper's in a cell by itself, where there is none of ours to stand beside.
Cell paper_cell(const std::optional<std::string>& text, bool doubtful);

// True where the cell has no value of ours.
bool without_value(const Cell& cell);

// A cell of ours that is missing, in words.
Cell missing_cell(const std::string& why = "missing");

// A copy in which each column of [low, high] cells became two columns and each column of estimates
// one for every part that any of its cells has ("Acc", "Acc low", …, "Acc paper"): for CSV and
// spreadsheets.
Table flatten_cells(const Table& table);

// Markdown with emphasis: best in bold, second underlined; the paper's number in brackets behind
// ours. Text of the table stays text, whatever markup it contains (core/tables/markup.h).
std::string to_markdown(const Table& table);

}  // namespace straq::report
