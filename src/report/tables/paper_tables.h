// The paper's tables from what a results folder holds. Each has the paper's rows in the paper's
// order with our numbers beside the paper's own; a row that the folder has nothing for is there and
// says so, and rows of ours that the paper lacks follow. Notes say how many decisions and seeds a
// number rests on, how its interval was made and which of the paper's cells cannot be right.
#pragma once

#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/methods.h"
#include "report/rows/paper_reference.h"
#include "results/results.h"

namespace straq::report {

struct PaperTableOptions {
  std::string rank_by;   // sorts Table 1 by a metric instead of the paper's order; "b" is refused
  std::string proposed;  // the method that the others are tested against; empty: straq_imit, else
                         // straq_distill, else the first that has decisions
};

// Tables 1 (also one for every other corpus that runs were trained on), 2, 5 and 9, and the tests
// behind Tables 1 and 2: paired randomisation with Holm's correction, McNemar, seeds.
std::vector<Table> method_tables(const Methods& methods, const PaperReference& paper,
                                 const PaperTableOptions& options);

// Tables 3, 4 and 11: ratings by people, rewards and values, judge scores of the corpus.
std::vector<Table> judge_tables(const results::Results& results, const Methods& methods,
                                const PaperReference& paper);

// Table 3 with agreement, and the comparisons of methods behind it: wins, ties and losses of
// ratings of the same decision by the same rater.
std::vector<Table> human_tables(const results::Results& results, const PaperReference& paper);

// Tables 7, 8 and 10 from the results folder's dataset.json files.
std::vector<Table> dataset_tables(const results::Results& results, const PaperReference& paper);

// A column of a table: the metric's key, its heading, decimals.
struct MetricColumn {
  const char* key;
  const char* title;
  int decimals;
};

// Remarks and doubts about a reference table, as notes; nothing without a reference.
void add_reference_notes(Table& table, const ReferenceTable& reference, const std::string& paper);

}  // namespace straq::report
