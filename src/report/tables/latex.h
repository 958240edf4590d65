// Tables for papers written in LaTeX.
#pragma once

#include <string>

#include "core/tables/table.h"

namespace straq::report {

// A LaTeX table with booktabs rules, complete but for a document around it; `label` for \ref. The
// paper's numbers stand small and in brackets behind ours. Needs the packages booktabs and graphicx
// (a wide table is scaled to the line).
std::string to_latex(const Table& table, const std::string& label);

// Text for LaTeX: its special characters and the signs that our tables use.
std::string escape_latex(const std::string& text);

}  // namespace straq::report
