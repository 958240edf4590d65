#include <algorithm>
#include <set>

#include "dialogue/utf8.h"
#include "report/tables/paper_tables.h"
#include "report/tables/words.h"

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

// A dataset table with the paper's column after each of ours that it has one for: `pairs` names
// our column (empty: the last) and the paper's.
Table beside_paper(const results::Results& results, const PaperReference& paper,
                   const std::string& id, const std::string& title, const std::string& row_column,
                   const std::vector<std::pair<std::string, std::string>>& pairs) {
  const ReferenceTable& reference = paper.table(id);
  std::string path;
  const Table* ours = find_table(results, id, path);
  Table t;
  t.id = id;
  t.title = title;
  if (ours == nullptr) {
    t.columns = {row_column};
    for (const auto& [column, key] : pairs) {
      t.columns.push_back(key);
      t.columns.push_back(key + " paper");
    }
    for (const auto& row : reference.rows) {
      std::vector<Cell> cells = {row.key};
      for (const auto& [column, key] : pairs) {
        cells.push_back(missing_cell());
        cells.push_back(
            paper_cell(reference.value(row.key, key), reference.doubtful(row.key, key)));
      }
      t.add(std::move(cells));
    }
    t.notes.push_back(
        "Missing in the results folder: dataset.json (`straq dataset stats … --format json`).");
    add_reference_notes(t, reference, paper.paper);
    return t;
  }
  // Which of the paper's columns follows which of ours.
  std::vector<std::string> follows(ours->columns.size());
  for (const auto& [column, key] : pairs) {
    for (std::size_t c = ours->columns.size(); c-- > 1;) {
      if (!column.empty() && dialogue::to_lower(ours->columns[c]).rfind(column, 0) != 0) continue;
      follows[c] = key;
      break;
    }
  }
  const auto name_at = static_cast<std::size_t>(
      std::find(ours->columns.begin(), ours->columns.end(), row_column) - ours->columns.begin());
  for (std::size_t c = 0; c < ours->columns.size(); ++c) {
    t.columns.push_back(ours->columns[c]);
    if (!follows[c].empty()) t.columns.push_back(ours->columns[c] + " paper");
  }
  std::set<std::string> seen;
  for (const auto& row : ours->rows) {
    const std::string key = name_at < row.size() ? row[name_at].text : row[0].text;
    seen.insert(key);
    std::vector<Cell> cells;
    for (std::size_t c = 0; c < row.size(); ++c) {
      cells.push_back(row[c]);
      if (follows[c].empty()) continue;
      cells.push_back(
          paper_cell(reference.value(key, follows[c]), reference.doubtful(key, follows[c])));
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

std::vector<Table> dataset_tables(const results::Results& results, const PaperReference& paper) {
  return {beside_paper(results, paper, "table7", "Table 7: strategies, abbreviations, definitions",
                       "strategy", {{"abbreviation", "abbreviation"}}),
          beside_paper(results, paper, "table8", "Table 8: dialogues by emotion", "emotion",
                       {{"", "dialogues"}}),
          beside_paper(results, paper, "table10", "Table 10: sizes of the corpora", "category",
                       {{"esconv", "esconv"}, {"empathetic", "empathetic"}})};
}

}  // namespace straq::report
