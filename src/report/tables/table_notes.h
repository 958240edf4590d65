// What a table of methods must say beside its numbers: which rows no test took and why, which
// choices could not be read, what intervals rest on, and which rows were not made alike.
#pragma once

#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/method_rows.h"

namespace straq::report {

// Collects the rows that no test took; rows with the same reason and metrics share a note.
class Untested {
 public:
  // `metric` as the table's heading says it, without its arrow.
  void add(const std::string& row, const std::string& metric, const std::string& reason);
  // What a ranking of rows with these names left out.
  void add(const std::vector<std::string>& names, const std::string& metric,
           const Ranking& ranking);
  void write(Table& table) const;

 private:
  struct Entry {
    std::string row, reason;
    std::vector<std::string> metrics;
  };
  std::vector<Entry> entries_;
};

// Rows whose tests rest on fewer seeds than their cells do.
void add_fewer_seeds_note(Table& table, const MethodRows& rows);

// Choices without a readable strategy, and a B that a guard decided; `others` are titles of rows
// that are no methods (the trivial planners) and whose B a guard decided.
void add_choice_notes(Table& table, const MethodRows& rows, std::vector<std::string> others);

// Rows of different program versions, splits or merge rules.
void add_made_with_notes(Table& table, const MethodRows& rows);

// What ± is, with the number of replicates; what sd and n are.
void add_interval_notes(Table& table, const MethodRows& rows);

// The same of Table 9, whose rows are strategies: which draws an interval of Acc, F1 and B leaves
// out, which rows have none because their predictions were not read, and that an interval without
// width is no certainty.
void add_strategy_interval_notes(Table& table, const MethodRows& rows);

// Decisions and replies (or another second number) of a seed: "2295", or "2295 / 100" where both
// are there and differ. 0 is none.
Cell count_cell(std::int64_t first, std::int64_t second);

}  // namespace straq::report
