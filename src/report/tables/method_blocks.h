// What the tables of methods (1, 2, 5 and the tests behind them) share: their metrics, and which
// rows may be compared with each other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "report/rows/method_rows.h"

namespace straq::report {

// Columns of a table, and what stands over one: "macro-F1 (Q)" where the paper has a word of its
// own; `arrow` appends which way is better.
using Columns = std::vector<const metrics::Metric*>;
std::string heading_of(const metrics::Metric& metric, bool arrow);
// What a row has of a metric.
Cell cell_of(const std::map<std::string, Measured>& measured, const metrics::Metric& metric);

struct MethodTable {
  std::string id, title;
  Columns metrics;
  bool arrows = true;  // in the headings
  bool responder = true;
  // The responder behind the paper's B-2 and R-L where its rows name none; empty: not known.
  std::string replies_of = {};
};

// Rows that may be compared, by their places: of one responder and of the same gold strategies (or
// the same number of replies where there are none).
std::vector<std::vector<std::size_t>> blocks_of(const MethodRows& rows);

// The tests behind a table: the proposed method (`wanted`, else straq_imit, else straq_distill,
// else the first) against every other row of its block. No rows where nothing can be tested.
Table tests_table(const MethodTable& shape, const MethodRows& rows, const std::string& wanted);

}  // namespace straq::report
