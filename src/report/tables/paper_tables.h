// The paper's tables from what a results folder holds. Each has the paper's rows in the paper's
// order with our numbers and, in the same cell, the paper's own; a row that the folder has nothing
// for is there and says so, and rows of ours that the paper lacks follow. Notes say how many
// decisions and seeds a number rests on, how its interval was made and which of the paper's cells
// cannot be right. A table that the folder has nothing for has no rows at all; its notes then say
// what was there and left out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/method_rows.h"
#include "report/rows/paper_reference.h"
#include "results/results.h"

namespace straq::report {

inline constexpr const char* kTable1Title = "Table 1: automatic metrics on ESConv";
inline constexpr const char* kTable2Title = "Table 2: zero-shot replies on EmpatheticDialogues";
inline constexpr const char* kTable3Title = "Table 3: ratings by people";
inline constexpr const char* kTable4Title = "Table 4: rewards and values";
inline constexpr const char* kTable5Title = "Table 5: ablations of straQ*-imit on ESConv";
inline constexpr const char* kTable7Title = "Table 7: strategies, abbreviations, definitions";
inline constexpr const char* kTable8Title = "Table 8: dialogues by emotion";
inline constexpr const char* kTable9Title = "Table 9: automatic metrics by strategy";
inline constexpr const char* kTable10Title = "Table 10: sizes of the corpora";
inline constexpr const char* kTable11Title =
    "Table 11: a judge's scores of the corpus's own replies";

struct PaperTableOptions {
  std::string rank_by;   // sorts Table 1 by a metric instead of the paper's order; not "bias"
  std::string proposed;  // the method that the others are tested against; empty: straq_imit, else
                         // straq_distill, else the first that has decisions
  // Sides that are compared beside (report/compare/comparison.h).
  std::vector<std::pair<std::string, std::string>> compare = {};
};

// Table 1, and the tests behind it: paired randomisation with Holm's correction, McNemar, seeds.
std::vector<Table> table1(const Methods& methods, const PaperReference& paper,
                          const PaperTableOptions& options);
// The same for every other corpus that runs were trained on, without the paper's numbers.
std::vector<Table> table1_elsewhere(const Methods& methods, const PaperReference& paper,
                                    const PaperTableOptions& options);
// Table 2, and the tests behind it.
std::vector<Table> table2(const Methods& methods, const PaperReference& paper,
                          const PaperTableOptions& options);
// Table 3 with agreement, and the comparisons of methods behind it: wins, ties and losses of
// ratings of the same decision by the same rater.
std::vector<Table> human_tables(const results::Results& results, const PaperReference& paper);
Table table4(const Methods& methods, const PaperReference& paper);
Table table5(const Methods& methods, const PaperReference& paper);
Table table9(const Methods& methods, const PaperReference& paper);
Table table11(const results::Results& results, const PaperReference& paper);

// From the first dataset.json of the results folder that has such a table.
Table table7(const results::Results& results, const PaperReference& paper);
Table table8(const results::Results& results, const PaperReference& paper);
Table table10(const results::Results& results, const PaperReference& paper);

}  // namespace straq::report
