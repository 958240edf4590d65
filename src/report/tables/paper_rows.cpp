#include "report/tables/paper_rows.h"

#include <algorithm>

#include "report/name_lists.h"
#include "report/tables/estimate_cells.h"

namespace straq::report {

std::string responder_part(const std::string& key) {
  const std::size_t slash = key.find('/');
  return slash == std::string::npos ? "" : key.substr(0, slash);
}

std::string method_part(const std::string& key) {
  const std::size_t slash = key.find('/');
  return slash == std::string::npos ? key : key.substr(slash + 1);
}

Cell beside(Cell ours, const ReferenceTable& reference, const std::string& key,
            const std::string& column) {
  return beside_paper(std::move(ours), reference.value(key, column),
                      reference.doubtful(key, column));
}

void place_rows(Table& table, const ReferenceTable& reference, const PaperRows& rows) {
  if (rows.ours == 0) return;
  std::vector<bool> placed(rows.ours, false);
  const auto place = [&](std::size_t i) {
    if (placed[i]) return;
    placed[i] = true;
    table.add(rows.row(i));
  };
  const auto place_all = [&] {
    for (std::size_t i = 0; i < rows.ours; ++i) place(i);
  };
  if (rows.our_order) place_all();
  std::vector<std::string> missing;
  for (const auto& r : reference.rows) {
    bool found = false;
    for (std::size_t i = 0; i < rows.ours; ++i) {
      if (!rows.fits(i, r.key)) continue;
      found = true;
      place(i);
    }
    if (found) continue;
    table.add(rows.absent(r.key));
    const std::string name = rows.name(r.key);
    if (!name.empty() && std::find(missing.begin(), missing.end(), name) == missing.end()) {
      missing.push_back(name);
    }
  }
  place_all();
  if (!missing.empty()) {
    table.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  }
}

void add_reference_notes(Table& table, const ReferenceTable& reference, const std::string& paper) {
  if (reference.columns.empty()) return;
  table.notes.push_back("Paper: " + paper + ".");
  const auto reasons = reference.reasons();
  if (!reasons.empty()) {
    table.notes.push_back("†: a cell of the paper that is no target: " + joined(reasons, "; ") +
                          ".");
  }
  for (const auto& remark : reference.remarks) table.notes.push_back(remark);
}

}  // namespace straq::report
