// The paper's own numbers as data (configs/paper_reference.yaml), which every table sets beside
// ours: whoever reads a report should not need the paper to see how far apart the two are, nor
// which of its cells cannot be right.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace straq::report {

struct ReferenceRow {
  std::string key;
  std::vector<std::string> values;  // as printed, one a column; empty: no such cell
};

// Cells that contradict themselves or that nothing explains. Empty lists mean all.
struct Doubt {
  std::vector<std::string> rows, columns;
  std::string reason;
};

struct ReferenceTable {
  std::string id;
  std::vector<std::string> columns;
  std::vector<ReferenceRow> rows;
  std::vector<Doubt> doubts;
  std::vector<std::string> remarks;

  const ReferenceRow* row(const std::string& key) const;
  // The printed text of a cell; nothing when the paper has no such row, column or cell.
  std::optional<std::string> value(const std::string& key, const std::string& column) const;
  bool doubtful(const std::string& key, const std::string& column) const;
  // The reasons of all doubts, in order.
  std::vector<std::string> reasons() const;
};

struct PaperReference {
  std::string paper;  // how it is cited; empty: no reference was read
  std::vector<ReferenceTable> tables;
  // An empty table when there is none of this id.
  const ReferenceTable& table(const std::string& id) const;
};

// Throws Error(input) with file and line for unknown keys, rows of another width than `columns`,
// keys that come twice, and doubts about rows or columns that do not exist.
PaperReference read_paper_reference(const std::string& path);

// The file as it was when the program was built, for reports written where the file is not.
PaperReference built_in_paper_reference();

}  // namespace straq::report
