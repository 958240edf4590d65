// Table 9: the automatic metrics of every strategy, method by method.
#include <algorithm>

#include "report/tables/estimate_cells.h"
#include "report/tables/method_blocks.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"

namespace straq::report {
namespace {

Columns table9_columns() {
  return metrics::metrics_in(&metrics::ShownIn::table9);
}

// Of choices what they are of a strategy by itself. Arrows as in Table 1: what stands in Table 2
// alone does not compare between the sets of replies of two strategies.
std::string heading_of_strategy(const metrics::Metric& m) {
  const metrics::StrategyMetric* of_choices = metrics::find_strategy_metric(m.key);
  if (of_choices == nullptr) return heading_of(m, m.shown.main);
  metrics::Metric own = m;
  own.title = of_choices->of_strategy.title;
  own.better = of_choices->of_strategy.better;
  return heading_of(own, /*arrow=*/true);
}

// One row of the table.
struct OfStrategy {
  const MethodRow* method;
  std::size_t strategy;
  std::string name, key;  // the strategy's, and the paper's row
};

std::vector<OfStrategy> rows_of(const MethodRows& methods) {
  std::vector<OfStrategy> out;
  for (const MethodRow* r : methods) {
    for (std::size_t s = 0; s < r->by_strategy.size(); ++s) {
      const bool named = s < r->labels.size();
      const std::string name = !named                              ? std::to_string(s)
                               : r->labels[s].abbreviation.empty() ? r->labels[s].name
                                                                   : r->labels[s].abbreviation;
      const bool direct = r->method == "direct" && r->responder == "sft";
      out.push_back({r, s, name, (direct ? "sft/" : r->method + "/") + name});
    }
  }
  return out;
}

std::vector<Cell> cells_of(const OfStrategy& row, const ReferenceTable& reference) {
  const MethodRow& r = *row.method;
  std::vector<Cell> cells = {r.title(), responder_title(r.responder), row.name};
  const auto& measured = r.by_strategy[row.strategy];
  for (const auto* m : table9_columns()) {
    cells.push_back(beside(cell_of(measured, *m), reference, row.key, m->key));
  }
  cells.push_back(row.strategy < r.support.size()
                      ? Cell(static_cast<long long>(r.support[row.strategy]))
                      : Cell::missing());
  return cells;
}

}  // namespace

Table table9(const Methods& methods, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table9");
  MethodRows shown = methods.with_strategies("esconv");
  const std::size_t left_out = shown.size() - std::min(shown.size(), kMostRanked);
  shown.resize(shown.size() - left_out);
  Table t;
  t.id = "table9";
  t.title = kTable9Title;
  t.columns = {"Method", "Responder", "Strategy"};
  for (const auto* m : table9_columns()) t.columns.push_back(heading_of_strategy(*m));
  t.columns.push_back("n");
  const auto ours = rows_of(shown);
  if (ours.empty()) return t;
  const auto title = [](const std::string& key) {
    return responder_part(key) == "sft" ? "Direct" : method_title(responder_part(key));
  };
  PaperRows rows;
  rows.ours = ours.size();
  rows.our_order = true;
  rows.fits = [&](std::size_t i, const std::string& key) { return ours[i].key == key; };
  rows.row = [&](std::size_t i) { return cells_of(ours[i], reference); };
  rows.absent = [&](const std::string& key) {
    std::vector<Cell> cells = {title(key), responder_part(key) == "sft" ? "SFT" : "–",
                               method_part(key)};
    for (const auto* m : table9_columns()) {
      cells.push_back(beside(missing_cell(), reference, key, m->key));
    }
    cells.push_back(Cell::missing());
    return cells;
  };
  rows.name = title;
  place_rows(t, reference, rows);
  if (left_out > 0) t.notes.push_back(std::to_string(left_out) + " rows more are not shown.");
  t.notes.push_back(
      "Acc is the strategy's recall, B its preference p. Dist-2 and CIDEr are of the strategy's "
      "own "
      "replies: sets of different sizes do not compare.");
  add_strategy_interval_notes(t, shown);
  add_made_with_notes(t, methods.measured("esconv"));
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace straq::report
