// Tables 7, 8 and 10: what the corpora hold, from dataset.json files.
#include <algorithm>
#include <set>

#include "dialogue/utf8.h"
#include "report/name_lists.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"

namespace straq::report {
namespace {

const Table* find_table(const results::Results& results, const std::string& id, std::string& path) {
  for (const auto& d : results.datasets) {
    for (const auto& t : d.tables) {
      if (t.id != id) continue;
      path = d.path;
      return &t;
    }
  }
  return nullptr;
}

// Which of our columns the paper has numbers for, and under which name: `pairs` has the beginning
// of ours (empty: the last column) and the paper's.
std::vector<std::string> paper_names(
    const Table& ours, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<std::string> out(ours.columns.size());
  for (const auto& [column, key] : pairs) {
    for (std::size_t c = ours.columns.size(); c-- > 1;) {
      if (!column.empty() && dialogue::to_lower(ours.columns[c]).rfind(column, 0) != 0) continue;
      out[c] = key;
      break;
    }
  }
  return out;
}

// A dataset table as it is, with the paper's numbers in its cells. `row_column` names the paper's
// rows.
Table with_paper(const results::Results& results, const PaperReference& paper,
                 const std::string& id, const std::string& title, const std::string& row_column,
                 const std::vector<std::pair<std::string, std::string>>& pairs) {
  const ReferenceTable& reference = paper.table(id);
  Table t;
  t.id = id;
  t.title = title;
  std::string path;
  const Table* ours = find_table(results, id, path);
  if (ours == nullptr) return t;
  t.columns = ours->columns;
  const auto names = paper_names(*ours, pairs);
  const auto name_at = static_cast<std::size_t>(
      std::find(ours->columns.begin(), ours->columns.end(), row_column) - ours->columns.begin());
  std::set<std::string> seen;
  for (const auto& row : ours->rows) {
    const std::string key = name_at < row.size() ? row[name_at].text : row[0].text;
    seen.insert(key);
    std::vector<Cell> cells;
    for (std::size_t c = 0; c < row.size(); ++c) {
      cells.push_back(names[c].empty() ? row[c] : beside(row[c], reference, key, names[c]));
    }
    t.add(std::move(cells));
  }
  std::vector<std::string> absent;
  for (const auto& row : reference.rows) {
    if (seen.count(row.key) == 0) absent.push_back(row.key);
  }
  if (!absent.empty()) t.notes.push_back("In the paper only: " + joined(absent) + ".");
  t.notes.push_back("From " + path + ".");
  for (const auto& note : ours->notes) t.notes.push_back(note);
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace

Table table7(const results::Results& results, const PaperReference& paper) {
  return with_paper(results, paper, "table7", kTable7Title, "strategy",
                    {{"abbreviation", "abbreviation"}});
}

Table table8(const results::Results& results, const PaperReference& paper) {
  return with_paper(results, paper, "table8", kTable8Title, "emotion", {{"", "dialogues"}});
}

Table table10(const results::Results& results, const PaperReference& paper) {
  return with_paper(results, paper, "table10", kTable10Title, "category",
                    {{"esconv", "esconv"}, {"empathetic", "empathetic"}});
}

}  // namespace straq::report
