#include "report/own_report.h"

#include "metrics/metric.h"
#include "report/name_lists.h"

namespace straq::report {
namespace {

constexpr const char* kTestsTitle = "Tests behind Table ";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// "macro-F1 (Q) ↑" → "macro-F1 ↑"
void drop_paper_words(std::string& heading) {
  for (const metrics::Metric* m : metrics::all_metrics()) {
    if (m->paper == nullptr) continue;
    replace_all(heading, m->title + (" (" + std::string(m->paper) + ")"), m->title);
  }
}

bool of_paper(const std::string& column) {
  return column.ends_with(" paper");
}

}  // namespace

std::string own_title(const std::string& title) {
  if (title.rfind(kTestsTitle, 0) == 0) {
    // Of Table 1 or 2, and maybe of a corpus: "Tests behind Table 1 on mi".
    const std::string rest = title.substr(std::string(kTestsTitle).size());
    const std::string of = rest.rfind('2', 0) == 0 ? "zero-shot replies" : "automatic metrics";
    return "Tests of " + of + rest.substr(1);
  }
  const std::size_t colon = title.find(": ");
  if (title.rfind("Table ", 0) != 0 || colon == std::string::npos) return title;
  return sentence_case(title.substr(colon + 2));
}

Table without_paper(Table table) {
  Table out;
  out.id = table.id;
  out.title = own_title(table.title);
  out.notes = std::move(table.notes);
  std::vector<std::size_t> kept;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (of_paper(table.columns[c])) continue;
    kept.push_back(c);
    out.columns.push_back(table.columns[c]);
    drop_paper_words(out.columns.back());
  }
  for (auto& row : table.rows) {
    std::vector<Cell> cells;
    for (const std::size_t c : kept) {
      cells.push_back(std::move(row[c]));
      if (table.columns[c] != "Metric") continue;
      Cell& metric = cells.back();
      drop_paper_words(metric.text);
      metric.value = metric.text;
    }
    out.add(std::move(cells));
  }
  return out;
}

}  // namespace straq::report
