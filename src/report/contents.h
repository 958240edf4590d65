// The report's table of contents: every table and every figure once, with what it needs of a
// results folder and the function that makes it. Whoever adds one adds an entry in contents.cpp;
// what a folder has nothing for is said from the entries too, so there is no second list.
#pragma once

#include <string>
#include <vector>

#include "core/tables/table.h"
#include "report/figures/figures.h"
#include "report/needs.h"
#include "report/rows/method_rows.h"
#include "report/rows/paper_reference.h"
#include "report/tables/case_study.h"
#include "report/tables/paper_tables.h"
#include "results/results.h"

namespace straq::report {

// Something that a folder has nothing for: what, why, and what would fill it.
struct Absent {
  std::string what;    // "Table 3: ratings by people"
  std::string why;     // "no run has ratings by people"
  std::string remedy;  // a command or a file's name; empty: nothing is known
  // "confusion (as the paper's Figure 4): no run has …."
  std::string line() const { return what + ": " + why + "."; }
};

// What tables are made from.
struct TableMaterial {
  const results::Results& results;
  const Methods& methods;
  const PaperReference& paper;
  const CaseStudy& study;
  PaperTableOptions options;
  bool own = false;  // without the paper's numbers, and without its words (report/own_report.h)
};

// Where on the page: what this folder holds comes first, then the paper's tables, then what the
// paper's numbers say of each other.
enum class Section { folder, paper, findings };

struct TableEntry {
  const char* id;     // of the table, or of the first of several
  const char* title;  // as the list of what is not there names it; null: it is never missed
  Section section;
  std::vector<Need> needs;  // all of them; the first that the folder lacks is named
  // Tables without rows are not shown; their notes go with the entry's line.
  std::vector<Table> (*make)(const TableMaterial&);
};
const std::vector<TableEntry>& table_entries();

struct MadeTables {
  std::vector<Table> folder, paper, findings;
  std::vector<Absent> absent;
  bool own = false;
};
MadeTables make_tables(const TableMaterial& material);

// What figures are made from.
struct FigureMaterial {
  const results::Results& results;
  const ScoredReplies& scored;
  std::string sensitivity;   // a parameter beside those that index.csv says were swept
  int most_run_figures = 8;  // runs whose own figures are made; of more, the first ones
  bool paper = true;         // captions say which figure of the paper's is like theirs
};

struct FigureEntry {
  const char* id;     // Figure::shows has it
  const char* title;  // "training loss"; null: it is never missed
  std::vector<Need> needs;
  // One of them or both; neither: an entry above draws it too.
  std::vector<Figure> (*of_folder)(const FigureMaterial&) = nullptr;
  // `test`: the rows of predictions/test.jsonl, null where there are none.
  std::vector<Figure> (*of_run)(const results::Run& run,
                                const std::vector<metrics::Prediction>* test) = nullptr;
  // A part of that entry's figure: missed only where the figure is there without it.
  const char* part_of = nullptr;
  const char* as_paper = nullptr;  // "Figure 3": missed as that figure of the paper's
  bool paper_alone = false;        // nobody but a reader of the paper misses it
};
const std::vector<FigureEntry>& figure_entries();

// With ids that are unique. Files that cannot be read are told in `warnings`, runs that are left
// out in `remarks`.
std::vector<Figure> make_figures(const FigureMaterial& material, std::vector<std::string>& warnings,
                                 std::vector<std::string>& remarks);

// Which entries `figures` (all of a report's) do not show, and why. `paper`: also those that only
// the paper has.
std::vector<Absent> absent_figures(const results::Results& results,
                                   const std::vector<Figure>& figures, bool paper = true);

// The same reasons together, in order of appearance: one line of the report each.
struct AbsentGroup {
  std::string why, remedy;
  std::vector<std::string> what;
};
// What stands below them.
inline constexpr const char* kElsewhereNote =
    "responses/ and judge/ are written by other programs: docs/formats.md says how. With them in "
    "place, report again.";
std::vector<AbsentGroup> grouped(const std::vector<Absent>& absent);

}  // namespace straq::report
