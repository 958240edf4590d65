// Tables for papers written in LaTeX: a file that goes in with \input and is complete but for the
// document around it. What a reader of the paper has no use for stays out: names of folders, rows
// of what was not measured, long notes (as comments below the table), numbers of tables, which
// LaTeX counts itself. The type is never smaller than 7 points: a table that is too wide for a
// column takes both, and one that is too wide for the page is cut into parts one below the other.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"

namespace straq::report {

enum class LatexInterval { none, pm, range };

// What of a table goes into a paper. Applies to tables of methods, runs and settings, whose columns
// are metrics; other tables are whole.
struct LatexOptions {
  // Columns of metrics, by key; "n" and "seeds" too. Empty: all.
  std::vector<std::string> columns;
  // Rows in this order, by what stands in "Method" (and in "Responder"; empty: any). Empty: all.
  std::vector<std::pair<std::string, std::string>> rows;
  // How an estimate's interval is shown; `pm` as the other formats do.
  LatexInterval interval = LatexInterval::pm;
  bool paper = false;  // the paper's numbers too, small and in brackets
};

// Needs the packages booktabs and array; `label` for \ref.
std::string to_latex(const Table& table, const std::string& label,
                     const LatexOptions& options = {});

// "none", "pm" or "range". Throws Error(input) for any other word.
LatexInterval latex_interval(const std::string& word);

// Throws Error(input) for a word that names no column of LatexOptions::columns, with those that do.
void check_latex_columns(const std::vector<std::string>& columns);

// Text for LaTeX: its special characters and the signs that our tables use.
std::string escape_latex(const std::string& text);

}  // namespace straq::report
