// Tables 1, 2 and 5: the automatic metrics of methods, the paper's rows beside ours.
#include <algorithm>
#include <cmath>
#include <set>

#include "metrics/baselines.h"
#include "report/name_lists.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/method_blocks.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"

namespace straq::report {
namespace {

// Of decisions, not of replies.
bool of_choices(const metrics::Metric& m) {
  return metrics::find_strategy_metric(m.key) != nullptr;
}

Columns main_columns() {
  return metrics::metrics_in(&metrics::ShownIn::main);
}

// The paper's row for a row of ours. A planner without replies has the Acc, Q and B of the paper's
// planner under any responder, because the planner alone decides them.
std::string reference_key(const ReferenceTable& reference, const MethodRow& row) {
  for (const std::string& key : {row.key(), row.method}) {
    if (reference.row(key) != nullptr) return key;
  }
  if (row.responder.empty()) {
    for (const char* responder : {"sft/", "base/"}) {
      if (reference.row(responder + row.method) != nullptr) return responder + row.method;
    }
  }
  return {};
}

std::vector<std::string> columns_of(const MethodTable& shape) {
  std::vector<std::string> columns = {"Method"};
  if (shape.responder) columns.push_back("Responder");
  for (const auto* m : shape.metrics) columns.push_back(heading_of(*m, shape.arrows));
  for (const char* c : {"n", "Seeds", "Runs"}) columns.push_back(c);
  return columns;
}

// Decisions and replies of a row, as far as the table has metrics of them.
Cell n_cell(const MethodTable& shape, const MethodRow& row) {
  std::int64_t decisions = 0, replies = 0;
  for (const auto* m : shape.metrics) {
    const auto it = row.metrics.find(m->key);
    if (it == row.metrics.end()) continue;
    auto& n = of_choices(*m) ? decisions : replies;
    n = std::max(n, it->second.n);
  }
  return count_cell(decisions, replies);
}

std::vector<Cell> our_row(const MethodTable& shape, const MethodRow& row,
                          const ReferenceTable& reference) {
  std::vector<Cell> cells = {row.title()};
  if (shape.responder) cells.push_back(responder_title(row.responder));
  const std::string key = reference_key(reference, row);
  for (const auto* m : shape.metrics) {
    Cell ours = cell_of(row.metrics, *m);
    const bool known = !row.responder.empty() || !shape.responder ||
                       reference.row(row.key()) != nullptr || of_choices(*m);
    const bool same = shape.replies_of.empty() || row.responder.empty() ||
                      row.responder == shape.replies_of || of_choices(*m);
    const bool comparable = known && same && !key.empty();
    cells.push_back(comparable ? beside(std::move(ours), reference, key, m->key) : ours);
  }
  cells.push_back(n_cell(shape, row));
  cells.push_back(row.seeds.size());
  cells.push_back(joined(row.runs));
  return cells;
}

std::vector<Cell> missing_row(const MethodTable& shape, const ReferenceTable& reference,
                              const std::string& key) {
  std::vector<Cell> cells = {method_title(method_part(key))};
  if (shape.responder) cells.push_back(responder_title(responder_part(key)));
  for (const auto* m : shape.metrics) {
    cells.push_back(beside(missing_cell(), reference, key, m->key));
  }
  for (int i = 0; i < 3; ++i) cells.push_back(Cell::missing());
  return cells;
}

std::vector<Cell> baseline_row(const MethodTable& shape, const metrics::BaselineEvaluation& b) {
  std::string title = b.name;
  for (const auto known : metrics::kBaselines) {
    if (metrics::to_word(known) == b.name) title = metrics::title_of(known);
  }
  std::vector<Cell> cells = {"[" + title + "]"};
  if (shape.responder) cells.push_back("–");
  for (const auto* m : shape.metrics) {
    const metrics::StrategyMetric* metric = metrics::find_strategy_metric(m->key);
    if (metric == nullptr) {
      cells.push_back(Cell::missing());
      continue;
    }
    Estimate e;
    e.n = b.strategy.n;
    e.value = m->scale() * b.strategy.*metric->score;
    if (const auto i = metric->interval_of(b.intervals)) {
      e.interval = metrics::Interval{m->scale() * i->low, m->scale() * i->high};
    }
    cells.push_back(estimate_cell(e, m->decimals));
  }
  cells.push_back(static_cast<long long>(b.strategy.n));
  cells.push_back("–");
  cells.push_back("–");
  return cells;
}

const char* const kTestedNote =
    "Bold: the best of the tested rows of its responder, where its lead over the second stands "
    "(paired randomisation by dialogue, Holm over the rows of the block, 0.05); underlined: the "
    "second, likewise over the third; ≈: the best or within noise of it. B is never ranked: a "
    "planner that draws at random has a low one. Rows that no test could take have no mark and are "
    "named below.";
const char* const kSeedMarksNote =
    "Between rows of three seeds or more the lead must stand over seeds as well (t test of the "
    "seeds' numbers, paired where they are the same seeds, Holm as before). ≈s: dialogues uphold "
    "it, seeds do not; ≈d: seeds uphold it, dialogues do not. Marks of rows with fewer seeds rest "
    "on dialogues alone.";

// Marks what stands out, block by block and metric by metric, in the rows' cells. What was tested
// and what was not goes to the table's notes.
class Marks {
 public:
  Marks(const MethodTable& shape, const MethodRows& rows)
      : shape_(shape), rows_(rows), names_(names_of(rows)), blocks_(blocks_of(rows)) {}

  void set(std::vector<std::vector<Cell>>& cells) {
    const std::size_t first_metric = shape_.responder ? 2 : 1;
    for (const auto& block : blocks_) {
      MethodRows members;
      std::vector<std::string> titles;
      for (const std::size_t i : block) {
        members.push_back(rows_[i]);
        titles.push_back(names_[i]);
      }
      for (std::size_t m = 0; m < shape_.metrics.size(); ++m) {
        const metrics::Metric& metric = *shape_.metrics[m];
        if (!metric.rankable) continue;
        const Ranking ranking = rank(members, metric);
        untested_.add(titles, metric.title, ranking);
        tested_ = tested_ || ranking.tested;
        over_seeds_ = over_seeds_ || ranking.over_seeds;
        for (std::size_t i = 0; i < block.size(); ++i) {
          emphasise(cells[block[i]][first_metric + m], ranking.emphasis[i]);
        }
      }
    }
  }

  void add_notes(Table& t) const {
    if (tested_) t.notes.push_back(kTestedNote);
    if (over_seeds_) t.notes.push_back(kSeedMarksNote);
    untested_.write(t);
    const bool apart = std::any_of(blocks_.begin(), blocks_.end(), [&](const auto& a) {
      return std::any_of(blocks_.begin(), blocks_.end(), [&](const auto& b) {
        return &a != &b && rows_[a.front()]->responder == rows_[b.front()]->responder;
      });
    });
    if (!apart) return;
    t.notes.push_back(
        "Rows of one responder that were measured on different decisions (n tells, or what their "
        "strategies were) are marked apart from each other and do not compare.");
  }

 private:
  const MethodTable& shape_;
  const MethodRows& rows_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::size_t>> blocks_;
  bool tested_ = false, over_seeds_ = false;
  Untested untested_;
};

// What the methods of rows are that the user named.
void add_names_note(Table& t, const MethodRows& rows) {
  std::vector<std::string> names;
  for (const MethodRow* r : rows) {
    if (r->planner && !r->name.empty()) names.push_back(r->title() + " is " + r->method_words());
  }
  if (!names.empty()) t.notes.push_back("Names of points of sweeps: " + listed(names) + ".");
}

Table make_table(const MethodTable& shape, MethodRows rows, const ReferenceTable& reference,
                 const std::string& rank_by) {
  const metrics::Metric* by = rank_by.empty() ? nullptr : &rankable_metric(rank_by);
  Table t;
  t.id = shape.id;
  t.title = shape.title;
  t.columns = columns_of(shape);
  if (rows.empty()) return t;
  if (by != nullptr) {
    const double worst = by->better == metrics::Better::lower ? INFINITY : -INFINITY;
    const auto value = [&](const MethodRow* r) {
      const auto it = r->metrics.find(by->key);
      return it == r->metrics.end() ? worst : it->second.estimate().value;
    };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](auto* a, auto* b) { return by->beats(value(a), value(b)); });
  }
  std::vector<std::vector<Cell>> ours;
  for (const MethodRow* r : rows) ours.push_back(our_row(shape, *r, reference));
  Marks marks(shape, rows);
  marks.set(ours);
  PaperRows place;
  place.ours = rows.size();
  place.our_order = by != nullptr;
  place.fits = [&](std::size_t i, const std::string& key) {
    return rows[i]->key() == key || rows[i]->method == key;
  };
  place.row = [&](std::size_t i) { return std::move(ours[i]); };
  place.absent = [&](const std::string& key) { return missing_row(shape, reference, key); };
  place.name = [](const std::string& key) {
    const std::string responder = responder_part(key);
    return method_title(method_part(key)) +
           (responder.empty() ? "" : " (" + responder_title(responder) + ")");
  };
  place_rows(t, reference, place);
  add_names_note(t, rows);
  marks.add_notes(t);
  add_fewer_seeds_note(t, rows);
  return t;
}

// Rows that know less than remembering the last strategy does.
void add_markov_note(Table& t, const MethodRows& rows,
                     const std::vector<metrics::BaselineEvaluation>& baselines) {
  for (const auto& b : baselines) {
    if (b.name != metrics::to_word(metrics::Baseline::markov1)) continue;
    std::vector<std::string> below;
    for (const MethodRow* r : rows) {
      const auto it = r->metrics.find("acc");
      if (it == r->metrics.end() || it->second.n != b.strategy.n) continue;
      if (it->second.estimate().value > 100 * b.strategy.acc) continue;
      below.push_back(r->full_title());
    }
    if (!below.empty()) {
      t.notes.push_back("Not above the Markov-1 planner in Acc: " + joined(below) + ".");
    }
  }
}

// Table 1 of one corpus, with the trivial planners.
Table automatic(const Methods& methods, const std::string& corpus, const ReferenceTable& reference,
                const PaperReference& paper, const std::string& rank_by) {
  const bool main = corpus == "esconv";
  const MethodRows rows = methods.measured(corpus);
  const MethodTable shape = {
      .id = main ? "table1" : "table1_" + (corpus.empty() ? "unnamed" : corpus),
      .title = main             ? kTable1Title
               : corpus.empty() ? "Table 1: automatic metrics on a corpus that no config names"
                                : "Table 1: automatic metrics on " + corpus,
      .metrics = main_columns()};
  Table t = make_table(shape, rows, reference, rank_by);
  if (rows.empty()) return t;
  std::vector<std::string> guarded;
  if (const auto it = methods.baselines.find(corpus); it != methods.baselines.end()) {
    for (const auto& b : it->second) {
      t.add(baseline_row(shape, b));
      if (b.strategy.bt_degenerate) guarded.push_back(t.rows.back()[0].text);
    }
    add_markov_note(t, rows, it->second);
  } else {
    t.notes.push_back("The trivial baselines are missing: no evaluation.json has them.");
  }
  add_choice_notes(t, rows, guarded);
  add_made_with_notes(t, rows);
  add_interval_notes(t, rows);
  add_reference_notes(t, reference, paper.paper);
  return t;
}

// The ablations with straq_imit under the same responders. A sweep's settings are no ablations:
// they stay away where the method itself is there.
MethodRows ablations_of(MethodRows rows) {
  const auto ablation = [](const MethodRow* r) {
    return r->method == "value_head" || r->method == "auto_regressive";
  };
  std::erase_if(rows,
                [&](const MethodRow* r) { return !ablation(r) && r->method != "straq_imit"; });
  std::set<std::string> plain, responders;
  for (const MethodRow* r : rows) {
    if (r->setting.empty()) plain.insert(r->method);
    if (ablation(r)) responders.insert(r->responder);
  }
  std::erase_if(rows, [&](const MethodRow* r) {
    const bool sweep = !r->setting.empty() && plain.count(r->method) > 0;
    const bool alone = !responders.empty() && responders.count(r->responder) == 0;
    return sweep || alone;
  });
  return rows;
}

}  // namespace

std::vector<Table> table1(const Methods& methods, const PaperReference& paper,
                          const PaperTableOptions& options) {
  if (!options.rank_by.empty()) rankable_metric(options.rank_by);
  return {automatic(methods, "esconv", paper.table("table1"), paper, options.rank_by),
          tests_table(
              {.id = "table1_tests", .title = "Tests behind Table 1", .metrics = main_columns()},
              methods.measured("esconv"), options.proposed)};
}

std::vector<Table> table1_elsewhere(const Methods& methods, const PaperReference& paper,
                                    const PaperTableOptions& options) {
  std::vector<Table> out;
  for (const auto& corpus : methods.corpora()) {
    if (corpus == "esconv" || corpus == "empathetic" || methods.measured(corpus).empty()) continue;
    out.push_back(automatic(methods, corpus, {}, paper, options.rank_by));
    const std::string name = corpus.empty() ? "unnamed" : corpus;
    Table tests =
        tests_table({.id = "table1_" + name + "_tests",
                     .title = "Tests behind Table 1 on " +
                              (corpus.empty() ? std::string("a corpus without a name") : corpus),
                     .metrics = main_columns()},
                    methods.measured(corpus), options.proposed);
    if (!tests.rows.empty()) out.push_back(std::move(tests));
  }
  return out;
}

std::vector<Table> table2(const Methods& methods, const PaperReference& paper,
                          const PaperTableOptions& options) {
  const MethodRows rows = methods.measured("empathetic");
  const bool responders =
      std::any_of(rows.begin(), rows.end(), [](auto* r) { return !r->responder.empty(); });
  const Columns columns = metrics::metrics_in(&metrics::ShownIn::table2);
  Table t = make_table({.id = "table2",
                        .title = kTable2Title,
                        .metrics = columns,
                        .arrows = false,
                        .responder = responders},
                       rows, paper.table("table2"), "");
  if (rows.empty()) return {std::move(t)};
  add_made_with_notes(t, rows);
  add_interval_notes(t, rows);
  t.notes.push_back(
      "Dist-2 does not add over dialogues: it is not tested, and compares only "
      "between sets of equal size.");
  add_reference_notes(t, paper.table("table2"), paper.paper);
  return {std::move(t), tests_table({.id = "table2_tests",
                                     .title = "Tests behind Table 2",
                                     .metrics = columns,
                                     .arrows = false},
                                    rows, options.proposed)};
}

Table table5(const Methods& methods, const PaperReference& paper) {
  const MethodRows rows = ablations_of(methods.measured("esconv"));
  Table t = make_table(
      {.id = "table5", .title = kTable5Title, .metrics = main_columns(), .replies_of = "sft"}, rows,
      paper.table("table5"), "");
  if (rows.empty()) return t;
  add_choice_notes(t, rows, {});
  add_made_with_notes(t, rows);
  add_interval_notes(t, rows);
  add_reference_notes(t, paper.table("table5"), paper.paper);
  return t;
}

}  // namespace straq::report
