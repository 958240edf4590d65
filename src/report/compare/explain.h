// Where a cell of a table comes from: the runs, files and keys behind it, seed by seed, and the
// commands that make the runs again.
#pragma once

#include <string>

#include "core/tables/table.h"

namespace straq::report {

struct ExplainOptions {
  std::string table;   // "table1", "table1_mi", "table2", "table5", "table9"
  std::string method;  // as --compare takes it
  std::string metric;  // its key or title: "acc", "Acc"
  bool reproduced = false;
};

// A row a seed. Throws Error(input) for a table that no report makes of this folder, a method that
// it has no row of, and a metric that the row has nothing of, each with what there is.
Table explain(const std::string& results, const ExplainOptions& options);

}  // namespace straq::report
