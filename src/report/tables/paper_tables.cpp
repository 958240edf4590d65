#include "report/tables/paper_tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "metrics/baselines.h"
#include "metrics/statistics.h"
#include "report/tables/table_notes.h"
#include "report/tables/words.h"

namespace straq::report {
namespace {

using Rows = MethodRows;

const std::vector<MetricColumn> kTable1 = {{"acc", "Acc ↑", 2},
                                           {"q", "Q ↑", 2},
                                           {"b", "B ↓", 3},
                                           {"bleu2", "B-2 ↑", 2},
                                           {"rouge_l", "R-L ↑", 2}};
const std::vector<MetricColumn> kTable2 = {
    {"bleu2", "B-2", 2}, {"rouge_l", "R-L", 2}, {"dist2", "Dist-2", 2}, {"cider", "CIDEr", 2}};
const std::vector<MetricColumn> kTable9 = {
    {"acc", "Acc ↑", 2},     {"q", "Q ↑", 2},        {"b", "B", 3},        {"bleu2", "B-2 ↑", 2},
    {"rouge_l", "R-L ↑", 2}, {"dist2", "Dist-2", 2}, {"cider", "CIDEr", 2}};

std::string part_before(const std::string& key) {
  const std::size_t slash = key.find('/');
  return slash == std::string::npos ? "" : key.substr(0, slash);
}
std::string part_after(const std::string& key) {
  const std::size_t slash = key.find('/');
  return slash == std::string::npos ? key : key.substr(slash + 1);
}

bool is_strategy_metric(const std::string& key) {
  return key == "acc" || key == "q" || key == "b";
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

struct Shape {
  std::string id, title;
  std::vector<MetricColumn> metrics;
  bool responder = true;
  // The responder behind the paper's B-2 and R-L where its rows name none; empty: not known.
  std::string replies_of;
};

std::vector<std::string> columns_of(const Shape& shape) {
  std::vector<std::string> columns = {"Method"};
  if (shape.responder) columns.push_back("Responder");
  for (const auto& m : shape.metrics) {
    columns.push_back(m.title);
    columns.push_back(std::string(m.title) + " paper");
  }
  for (const char* c : {"n", "Seeds", "Runs"}) columns.push_back(c);
  return columns;
}

// Decisions and replies of a row, as far as the table has metrics of them.
Cell n_cell(const Shape& shape, const MethodRow& row) {
  std::int64_t decisions = 0, replies = 0;
  for (const auto& m : shape.metrics) {
    const auto it = row.metrics.find(m.key);
    if (it == row.metrics.end()) continue;
    auto& n = is_strategy_metric(m.key) ? decisions : replies;
    n = std::max(n, it->second.n);
  }
  return count_cell(decisions, replies);
}

std::vector<Cell> our_row(const Shape& shape, const MethodRow& row,
                          const ReferenceTable& reference) {
  std::vector<Cell> cells = {row.title()};
  if (shape.responder) cells.push_back(responder_title(row.responder));
  const std::string key = reference_key(reference, row);
  for (const auto& m : shape.metrics) {
    const auto it = row.metrics.find(m.key);
    cells.push_back(it == row.metrics.end() ? Cell::missing()
                                            : estimate_cell(it->second.estimate(), m.decimals));
    const bool known = !row.responder.empty() || !shape.responder ||
                       reference.row(row.key()) != nullptr || is_strategy_metric(m.key);
    const bool same = shape.replies_of.empty() || row.responder.empty() ||
                      row.responder == shape.replies_of || is_strategy_metric(m.key);
    const bool comparable = known && same;
    cells.push_back(comparable && !key.empty()
                        ? paper_cell(reference.value(key, m.key), reference.doubtful(key, m.key))
                        : Cell::missing());
  }
  cells.push_back(n_cell(shape, row));
  cells.push_back(row.seeds.size());
  cells.push_back(joined(row.runs));
  return cells;
}

std::vector<Cell> missing_row(const Shape& shape, const ReferenceTable& reference,
                              const std::string& key) {
  std::vector<Cell> cells = {method_title(part_after(key))};
  if (shape.responder) cells.push_back(responder_title(part_before(key)));
  for (const auto& m : shape.metrics) {
    cells.push_back(missing_cell());
    cells.push_back(paper_cell(reference.value(key, m.key), reference.doubtful(key, m.key)));
  }
  for (int i = 0; i < 3; ++i) cells.push_back(Cell::missing());
  return cells;
}

std::optional<metrics::Interval> percent_of(const std::optional<metrics::Interval>& fraction) {
  if (!fraction) return std::nullopt;
  return metrics::Interval{100 * fraction->low, 100 * fraction->high};
}

std::vector<Cell> baseline_row(const Shape& shape, const metrics::BaselineEvaluation& b) {
  std::string title = b.name;
  for (const auto known : metrics::kBaselines) {
    if (metrics::to_word(known) == b.name) title = metrics::title_of(known);
  }
  std::vector<Cell> cells = {"[" + title + "]"};
  if (shape.responder) cells.push_back("–");
  for (const auto& m : shape.metrics) {
    const std::string key = m.key;
    Estimate e;
    e.n = b.strategy.n;
    if (key == "acc") {
      e.value = 100 * b.strategy.acc;
      e.interval = percent_of(b.intervals.acc);
    } else if (key == "q") {
      e.value = 100 * b.strategy.q;
      e.interval = percent_of(b.intervals.q);
    } else if (key == "b") {
      e.value = b.strategy.b;
      e.interval = b.intervals.b;
    }
    cells.push_back(is_strategy_metric(key) ? estimate_cell(e, m.decimals) : Cell::missing());
    cells.push_back(Cell::missing());
  }
  cells.push_back(static_cast<long long>(b.strategy.n));
  cells.push_back("–");
  cells.push_back("–");
  return cells;
}

// Rows that may be compared: of one responder and of the same gold strategies (or the same number
// of replies where there are none).
std::vector<std::vector<std::size_t>> blocks_of(const Rows& rows) {
  const auto replies = [](const MethodRow& r) {
    const auto it = r.metrics.find("bleu2");
    return it == r.metrics.end() ? 0 : it->second.n;
  };
  std::vector<std::vector<std::size_t>> blocks;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto at = std::find_if(blocks.begin(), blocks.end(), [&](const auto& b) {
      const MethodRow &first = *rows[b.front()], &row = *rows[i];
      return first.responder == row.responder && first.support == row.support &&
             (!row.support.empty() || replies(first) == replies(row));
    });
    (at == blocks.end() ? blocks.insert(blocks.end(), {{}}) : at)->push_back(i);
  }
  return blocks;
}

const char* const kTestedNote =
    "Bold: the best of the tested rows of its responder, where its lead over the second stands "
    "(paired randomisation by dialogue, Holm over the rows of the block, 0.05); underlined: the "
    "second, likewise over the third; ≈: the best or within noise of it. B is never ranked: a "
    "planner that draws at random has a low one. Rows that no test could take have no mark and are "
    "named below.";

// Our rows in the paper's order, then the rest; missing ones in between.
Table make_table(const Shape& shape, Rows rows, const ReferenceTable& reference,
                 const std::string& rank_by) {
  Table t;
  t.id = shape.id;
  t.title = shape.title;
  t.columns = columns_of(shape);
  if (!rank_by.empty()) {
    const auto value = [&](const MethodRow* r) {
      const auto it = r->metrics.find(rank_by);
      return it == r->metrics.end() ? -INFINITY : it->second.estimate().value;
    };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](auto* a, auto* b) { return value(a) > value(b); });
  }
  // Emphasis by block and metric.
  const std::size_t first_metric = shape.responder ? 2 : 1;
  std::vector<std::vector<Cell>> ours;
  for (const MethodRow* r : rows) ours.push_back(our_row(shape, *r, reference));
  bool any_tested = false;
  Untested untested;
  const auto blocks = blocks_of(rows);
  const auto names = names_of(rows);
  for (const auto& block : blocks) {
    Rows members;
    std::vector<std::string> titles;
    for (const std::size_t i : block) {
      members.push_back(rows[i]);
      titles.push_back(names[i]);
    }
    for (std::size_t m = 0; m < shape.metrics.size(); ++m) {
      const std::string key = shape.metrics[m].key;
      if (key == "b") continue;
      const Ranking ranking = rank(members, key);
      untested.add(titles, shape.metrics[m].title, ranking);
      any_tested = any_tested || ranking.tested;
      for (std::size_t i = 0; i < block.size(); ++i) {
        emphasise(ours[block[i]][first_metric + 2 * m], ranking.emphasis[i]);
      }
    }
  }
  std::vector<bool> placed(rows.size(), false);
  std::vector<std::string> missing;
  const auto place = [&](std::size_t i) {
    placed[i] = true;
    t.add(std::move(ours[i]));
  };
  if (!rank_by.empty()) {
    for (std::size_t i = 0; i < rows.size(); ++i) place(i);
  }
  for (const auto& r : reference.rows) {
    bool found = false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool exact = rows[i]->key() == r.key || rows[i]->method == r.key;
      found = found || exact;
      if (exact && !placed[i]) place(i);
    }
    if (found) continue;
    t.add(missing_row(shape, reference, r.key));
    const std::string responder = part_before(r.key);
    missing.push_back(method_title(part_after(r.key)) +
                      (responder.empty() ? "" : " (" + responder_title(responder) + ")"));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!placed[i]) place(i);
  }
  if (!missing.empty())
    t.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  if (any_tested) t.notes.push_back(kTestedNote);
  untested.write(t);
  const bool apart = std::any_of(blocks.begin(), blocks.end(), [&](const auto& a) {
    return std::any_of(blocks.begin(), blocks.end(), [&](const auto& b) {
      return &a != &b && rows[a.front()]->responder == rows[b.front()]->responder;
    });
  });
  if (apart) {
    t.notes.push_back(
        "Rows of one responder that were measured on different decisions (n tells, or what their "
        "strategies were) are marked apart from each other and do not compare.");
  }
  add_fewer_seeds_note(t, rows);
  return t;
}

// Rows that know less than remembering the last strategy does.
void add_markov_note(Table& t, const Rows& rows,
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

Table strategies_by_method(Rows rows, const ReferenceTable& reference) {
  const std::size_t left_out = rows.size() - std::min(rows.size(), kMostRanked);
  rows.resize(rows.size() - left_out);
  Table t;
  t.id = "table9";
  t.title = "Table 9: automatic metrics by strategy";
  t.columns = {"Method", "Responder", "Strategy"};
  for (const auto& m : kTable9) {
    t.columns.push_back(m.title);
    t.columns.push_back(std::string(m.title) + " paper");
  }
  t.columns.push_back("n");
  std::vector<std::string> seen;
  const auto paper_cells = [&](std::vector<Cell>& cells, const std::string& key, const char* m) {
    cells.push_back(paper_cell(reference.value(key, m), reference.doubtful(key, m)));
  };
  for (const MethodRow* r : rows) {
    for (std::size_t s = 0; s < r->by_strategy.size(); ++s) {
      const bool named = s < r->labels.size();
      const std::string name = !named                              ? std::to_string(s)
                               : r->labels[s].abbreviation.empty() ? r->labels[s].name
                                                                   : r->labels[s].abbreviation;
      const bool direct = r->method == "direct" && r->responder == "sft";
      const std::string key = (direct ? "sft/" : r->method + "/") + name;
      if (reference.row(key) != nullptr) seen.push_back(key);
      std::vector<Cell> cells = {r->title(), responder_title(r->responder), name};
      for (const auto& m : kTable9) {
        const auto it = r->by_strategy[s].find(m.key);
        cells.push_back(it == r->by_strategy[s].end()
                            ? Cell::missing()
                            : estimate_cell(it->second.estimate(), m.decimals));
        paper_cells(cells, key, m.key);
      }
      cells.push_back(s < r->support.size() ? Cell(static_cast<long long>(r->support[s]))
                                            : Cell::missing());
      t.add(std::move(cells));
    }
  }
  std::vector<std::string> missing;
  for (const auto& row : reference.rows) {
    if (std::find(seen.begin(), seen.end(), row.key) != seen.end()) continue;
    const std::string block = part_before(row.key);
    const std::string title = block == "sft" ? "Direct" : method_title(block);
    std::vector<Cell> cells = {title, block == "sft" ? "SFT" : "–", part_after(row.key)};
    for (const auto& m : kTable9) {
      cells.push_back(missing_cell());
      paper_cells(cells, row.key, m.key);
    }
    cells.push_back(Cell::missing());
    t.add(std::move(cells));
    if (std::find(missing.begin(), missing.end(), title) == missing.end()) missing.push_back(title);
  }
  if (!missing.empty())
    t.notes.push_back("Missing in the results folder: " + joined(missing) + ".");
  if (left_out > 0) t.notes.push_back(std::to_string(left_out) + " rows more are not shown.");
  t.notes.push_back(
      "Acc is the strategy's recall, Q its F1, B its preference p. Dist-2 and CIDEr are of the "
      "strategy's own replies: sets of different sizes do not compare.");
  add_strategy_interval_notes(t, rows);
  return t;
}

// The proposed method against every other row of its block, on the metrics of `shape`.
Table tests_table(const Shape& shape, const Rows& rows, const std::string& wanted) {
  Table t;
  t.id = shape.id;
  t.title = shape.title;
  t.columns = {"Proposed",   "Against",     "Responder", "Metric",    "Difference",
               "95 %",       "p",           "p Holm",    "Dialogues", "McNemar p (by decision)",
               "Over seeds", "Shared seeds"};
  Untested untested;
  const auto names = names_of(rows);
  for (auto block : blocks_of(rows)) {
    // Settings of a sweep must not keep methods from being tested.
    if (block.size() > kMostRanked) {
      std::erase_if(block, [&](std::size_t i) { return !rows[i]->setting.empty(); });
    }
    if (block.size() < 2 || block.size() > kMostRanked) continue;
    const MethodRow* proposed = nullptr;
    for (const std::string& method :
         {wanted, std::string("straq_imit"), std::string("straq_distill")}) {
      // The method itself before a setting of a sweep over it: never the best of them.
      for (const bool plain : {true, false}) {
        for (const std::size_t i : block) {
          const bool fits =
              !method.empty() && rows[i]->method == method && (!plain || rows[i]->setting.empty());
          if (proposed == nullptr && fits) proposed = rows[i];
        }
      }
    }
    if (proposed == nullptr) proposed = rows[block.front()];
    // Choices and replies are tested once each, for all metrics that rest on them.
    std::map<std::pair<const MethodRow*, bool>, std::vector<metrics::PairedDifference>> known;
    const auto compared = [&](const MethodRow* other,
                              const std::string& key) -> const metrics::PairedDifference* {
      const auto [it, fresh] = known.try_emplace({other, is_strategy_metric(key)});
      if (fresh) it->second = compare_all(*proposed, *other, key, true);
      for (const auto& d : it->second) {
        if (d.metric == key) return &d;
      }
      return nullptr;
    };
    for (const auto& m : shape.metrics) {
      const std::string key = m.key;
      if (key == "b" || key == "dist2") continue;
      std::vector<metrics::PairedDifference> found;
      std::vector<const MethodRow*> others;
      for (const std::size_t i : block) {
        if (rows[i] == proposed) continue;
        if (proposed->metrics.count(key) == 0 || rows[i]->metrics.count(key) == 0) continue;
        if (const auto* d = compared(rows[i], key); d != nullptr && !d->interval) {
          untested.add(names[i], m.title, kOneDialogue);
        } else if (d != nullptr) {
          found.push_back(*d);
          others.push_back(rows[i]);
        } else {
          untested.add(names[i], m.title,
                       "not the same data by dialogue as " + proposed->full_title());
        }
      }
      std::vector<metrics::PairedDifference*> family;
      for (auto& d : found) family.push_back(&d);
      metrics::holm_adjust(family);
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto& d = found[i];
        Cell interval;
        interval.numeric = true;
        interval.text = Cell::real(100 * d.interval->low, 2).text + " to " +
                        Cell::real(100 * d.interval->high, 2).text;
        interval.value =
            nlohmann::ordered_json::array({100 * d.interval->low, 100 * d.interval->high});
        Cell mcnemar = Cell::missing();
        if (key == "acc") {
          try {
            const auto by_decision =
                metrics::compare_decisions(proposed->decisions, others[i]->decisions);
            if (by_decision.decisions > 0) mcnemar = p_cell(by_decision.test.exact);
          } catch (const Error&) {
            // The same dialogues with other decisions: the dialogue's test stands without it.
          }
        }
        const auto seeds = metrics::compare_seeds(proposed->metrics.at(key).by_seed,
                                                  others[i]->metrics.at(key).by_seed);
        Cell over = Cell::missing();
        if (seeds.differences.n > 1) {
          Estimate e;
          e.value = seeds.differences.mean;
          e.seeds = seeds.differences.n;
          e.interval = {e.value - seeds.differences.half_width,
                        e.value + seeds.differences.half_width};
          over = estimate_cell(e, 2);
        }
        t.add({proposed->title(), others[i]->title(), responder_title(proposed->responder), m.title,
               Cell::real(100 * d.difference, 2), interval, p_cell(d.p), p_cell(d.p_holm),
               Cell(static_cast<long long>(d.clusters)), mcnemar, over,
               Cell(static_cast<long long>(seeds.differences.n))});
      }
    }
  }
  t.notes.push_back(
      "Differences in points, proposed minus other, on the same dialogues; several seeds of a "
      "setting are taken together. p: approximate randomisation that exchanges the two methods in "
      "whole dialogues (9,999 arrangements, or all where they are fewer); 95 %: bootstrap over "
      "dialogues, 10,000 replicates; p Holm: over the rows of one metric and responder.");
  t.notes.push_back(
      "McNemar's test takes decisions of one dialogue for independent ones, so its p is too small "
      "(anti-conservative), and it looks at the first seed only; it decides nothing here. Over "
      "seeds: mean difference by shared "
      "training seed and half its t interval, apart from the sampling of dialogues.");
  untested.write(t);
  return t;
}

// The ablations with straq_imit under the same responders. A sweep's settings are no ablations:
// they stay away where the method itself is there.
Rows ablations_of(Rows rows) {
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

std::vector<Table> method_tables(const Methods& methods, const PaperReference& paper,
                                 const PaperTableOptions& options) {
  if (!options.rank_by.empty()) require_rankable(options.rank_by);
  std::vector<Table> out;
  const auto measured = [&](const std::string& corpus) { return methods.measured(corpus); };
  const auto automatic = [&](const std::string& corpus, const ReferenceTable& reference) {
    const bool main = corpus == "esconv";
    const Rows rows = measured(corpus);
    Table t = make_table(
        {main ? "table1" : "table1_" + (corpus.empty() ? "unnamed" : corpus),
         "Table 1: automatic metrics on " + (main             ? std::string("ESConv")
                                             : corpus.empty() ? "a corpus that no config names"
                                                              : corpus),
         kTable1, true, ""},
        rows, reference, options.rank_by);
    std::vector<std::string> guarded;
    if (const auto it = methods.baselines.find(corpus); it != methods.baselines.end()) {
      for (const auto& b : it->second) {
        t.add(baseline_row({"", "", kTable1, true, ""}, b));
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
  };
  out.push_back(automatic("esconv", paper.table("table1")));
  const auto add_tests = [&](const Shape& shape, const std::string& corpus) {
    Table tests = tests_table(shape, measured(corpus), options.proposed);
    if (!tests.rows.empty()) out.push_back(std::move(tests));
  };
  add_tests({"table1_tests", "Tests behind Table 1", kTable1, true, ""}, "esconv");
  for (const auto& corpus : methods.corpora()) {
    if (corpus == "esconv" || corpus == "empathetic" || measured(corpus).empty()) continue;
    out.push_back(automatic(corpus, {}));
  }
  const Rows zero_shot = measured("empathetic");
  const bool responders = std::any_of(zero_shot.begin(), zero_shot.end(),
                                      [](const MethodRow* r) { return !r->responder.empty(); });
  Table table2 = make_table(
      {"table2", "Table 2: zero-shot replies on EmpatheticDialogues", kTable2, responders, ""},
      zero_shot, paper.table("table2"), "");
  add_made_with_notes(table2, zero_shot);
  add_interval_notes(table2, zero_shot);
  table2.notes.push_back(
      "Dist-2 does not add over dialogues: it is not tested, and compares only "
      "between sets of equal size.");
  add_reference_notes(table2, paper.table("table2"), paper.paper);
  out.push_back(std::move(table2));
  add_tests({"table2_tests", "Tests behind Table 2", kTable2, true, ""}, "empathetic");

  const Rows ablations = ablations_of(measured("esconv"));
  Table table5 =
      make_table({"table5", "Table 5: ablations of straQ*-imit on ESConv", kTable1, true, "sft"},
                 ablations, paper.table("table5"), "");
  add_choice_notes(table5, ablations, {});
  add_made_with_notes(table5, ablations);
  add_interval_notes(table5, ablations);
  add_reference_notes(table5, paper.table("table5"), paper.paper);
  out.push_back(std::move(table5));

  Table table9 = strategies_by_method(methods.with_strategies("esconv"), paper.table("table9"));
  add_made_with_notes(table9, measured("esconv"));
  add_reference_notes(table9, paper.table("table9"), paper.paper);
  out.push_back(std::move(table9));
  return out;
}

}  // namespace straq::report
