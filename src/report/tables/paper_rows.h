// The skeleton of a table with the paper's rows: ours in the paper's order, what we lack by name,
// the paper's number beside ours in every cell, and which of the paper's cells are no targets.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/paper_reference.h"

namespace straq::report {

// "sft/direct": the parts before and after the slash; without one the responder is empty.
std::string responder_part(const std::string& key);
std::string method_part(const std::string& key);

// Our cell with the paper's in the row `key` (beside_paper of report/tables/estimate_cells.h).
Cell beside(Cell ours, const ReferenceTable& reference, const std::string& key,
            const std::string& column);

// What place_rows asks of a table about its rows.
struct PaperRows {
  std::size_t ours = 0;  // how many rows we have; without any the table stays without rows
  // Whether our row is the paper's of this key.
  std::function<bool(std::size_t, const std::string& key)> fits;
  std::function<std::vector<Cell>(std::size_t)> row;
  // The row of a key that nothing of ours fits, and its name in the note; empty: not named.
  std::function<std::vector<Cell>(const std::string& key)> absent;
  std::function<std::string(const std::string& key)> name;
  bool our_order = false;  // all of ours first, in their own order
};

// Adds our rows in the paper's order with what we lack in between, then those that the paper lacks,
// and a note that names what we lack.
void place_rows(Table& table, const ReferenceTable& reference, const PaperRows& rows);

// Remarks and doubts about a reference table, as notes; nothing without a reference.
void add_reference_notes(Table& table, const ReferenceTable& reference, const std::string& paper);

}  // namespace straq::report
