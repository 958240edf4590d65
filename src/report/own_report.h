// A report of one's own: without a word of the paper's tables. Its rows, findings and verdicts are
// not made where there are no numbers of the paper's; what is left to say otherwise are titles and
// headings, which this file does.
#pragma once

#include <string>

#include "core/tables/table.h"

namespace straq::report {

// What --paper takes for it.
inline constexpr const char* kNoPaper = "none";

// A table under a title of its own ("Table 1: automatic metrics on mi" → "Automatic metrics on
// mi"), with our words for metrics alone and without a column for the paper's numbers.
Table without_paper(Table table);

// The same of a title.
std::string own_title(const std::string& title);

}  // namespace straq::report
