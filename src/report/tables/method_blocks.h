// What the tables of methods (1, 2, 5 and the tests behind them) share: their metrics, and which
// rows may be compared with each other.
#pragma once

#include <string>
#include <vector>

#include "report/rows/methods.h"

namespace straq::report {

// A column of a table: the metric's key, its heading, decimals.
struct MetricColumn {
  const char* key;
  const char* title;
  int decimals;
};
extern const std::vector<MetricColumn> kTable1Metrics, kTable2Metrics;

struct MethodTable {
  std::string id, title;
  std::vector<MetricColumn> metrics;
  bool responder = true;
  // The responder behind the paper's B-2 and R-L where its rows name none; empty: not known.
  std::string replies_of;
};

// "acc", "q" and "b", which are of decisions and not of replies.
bool is_strategy_metric(const std::string& key);

// Rows that may be compared, by their places: of one responder and of the same gold strategies (or
// the same number of replies where there are none).
std::vector<std::vector<std::size_t>> blocks_of(const MethodRows& rows);

// The tests behind a table: the proposed method (`wanted`, else straq_imit, else straq_distill,
// else the first) against every other row of its block. No rows where nothing can be tested.
Table tests_table(const MethodTable& shape, const MethodRows& rows, const std::string& wanted);

}  // namespace straq::report
