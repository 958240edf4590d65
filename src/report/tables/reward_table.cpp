// Table 4: a judge's rewards, and the values that planners give.
#include <algorithm>
#include <optional>
#include <set>

#include "report/name_lists.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/method_blocks.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

// A planner's own numbers, per decision.
std::vector<const metrics::ValueMetric*> shown_values() {
  std::vector<const metrics::ValueMetric*> out;
  for (const auto& m : metrics::value_metrics()) {
    if (m.table4 != nullptr) out.push_back(&m);
  }
  return out;
}

// The paper's reward stands beside ours. What its values sum up is not said, so they stand apart.
Cell paper_value(const ReferenceTable& reference, const std::string& key) {
  return paper_cell(reference.value(key, "value"), reference.doubtful(key, "value"));
}

std::vector<Cell> row_of(const MethodRow& r, Emphasis emphasis, const ReferenceTable& reference) {
  const metrics::Metric& metric = metrics::reward_metric();
  Cell reward = cell_of(r.metrics, metric);
  emphasise(reward, emphasis);
  std::vector<Cell> cells = {r.title(), responder_title(r.responder),
                             beside(std::move(reward), reference, r.method, metric.key),
                             paper_value(reference, r.method)};
  std::int64_t decisions = 0;
  for (const auto* m : shown_values()) {
    const auto it = r.metrics.find(m->key);
    if (it != r.metrics.end()) decisions = std::max(decisions, it->second.n);
    cells.push_back(cell_of(r.metrics, *m));
  }
  const auto judged = r.metrics.find(metric.key);
  const bool is_judged = judged != r.metrics.end();
  cells.push_back(is_judged ? Cell(r.unparsed) : Cell::missing());
  cells.push_back(count_cell(decisions, is_judged ? judged->second.n : 0));
  cells.push_back(Cell(r.seeds.size()));
  cells.push_back(Cell(joined(r.runs)));
  return cells;
}

std::vector<Cell> unrewarded_row(const std::string& key, const ReferenceTable& reference) {
  std::vector<Cell> cells = {method_title(key), "–",
                             beside(missing_cell(), reference, key, metrics::reward_metric().key),
                             paper_value(reference, key)};
  cells.resize(cells.size() + shown_values().size(), missing_cell());
  for (int i = 0; i < 4; ++i) cells.push_back(Cell::missing());
  return cells;
}

// `imitated`: numbers of strategies of the rows with the imitation reward.
void add_meaning_notes(Table& t, const std::optional<std::set<std::size_t>>& imitated,
                       bool tested) {
  t.notes.push_back(
      "Reward: a judge model's overall score, 1 to 5, over answers that could be read. The rest is "
      "a planner's own, per decision: return is the discounted sum of rewards from the decision to "
      "the dialogue's end, Spearman the rank correlation of the chosen strategy's Q with it.");
  if (imitated) t.notes.push_back(imitation_return_note(*imitated));
  if (tested) {
    t.notes.push_back(
        "Reward in bold: the best, where its lead over the second stands (paired randomisation by "
        "dialogue, Holm, 0.05); underlined: the second, likewise; ≈: the best or within noise of "
        "it. Values are never ranked: a higher Q is no better a planner.");
  }
}

}  // namespace

Table table4(const Methods& methods, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table4");
  const metrics::Metric& reward = metrics::reward_metric();
  Table t;
  t.id = "table4";
  t.title = kTable4Title;
  t.columns = {"Method", "Responder", reward.title, "Value paper"};
  for (const auto* m : shown_values()) t.columns.push_back(m->table4);
  for (const char* c : {"Unreadable", "n", "Seeds", "Runs"}) t.columns.push_back(c);
  const auto all = methods.of_corpus("esconv");
  const Ranking ranking = rank(all, reward);
  MethodRows shown;
  std::vector<Emphasis> emphasis;
  std::optional<std::set<std::size_t>> imitated;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& measured = all[i]->metrics;
    if (measured.count(reward.key) + measured.count("mean_max_q") == 0) continue;
    shown.push_back(all[i]);
    emphasis.push_back(ranking.emphasis[i]);
    if (!all[i]->imitation || measured.count("mean_return") == 0) continue;
    if (!imitated) imitated.emplace();
    if (!all[i]->by_strategy.empty()) imitated->insert(all[i]->by_strategy.size());
  }
  if (shown.empty()) return t;
  PaperRows rows;
  rows.ours = shown.size();
  rows.fits = [&](std::size_t i, const std::string& key) { return shown[i]->method == key; };
  rows.row = [&](std::size_t i) { return row_of(*shown[i], emphasis[i], reference); };
  rows.absent = [&](const std::string& key) { return unrewarded_row(key, reference); };
  rows.name = method_title;
  place_rows(t, reference, rows);
  add_meaning_notes(t, imitated, ranking.tested);
  Untested untested;
  untested.add(names_of(all), reward.title, ranking);
  untested.write(t);
  add_made_with_notes(t, shown);
  t.notes.push_back(
      "±: half the 95 % interval of the bootstrap over dialogues (mean over seeds), of means with "
      "10,000 replicates and of Spearman's with 2,000; none where a run's predictions were not "
      "read or lack Q values. n: decisions of a seed with Q values, or a judge's answers; "
      "\"decisions / answers\" where both are there and differ.");
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace straq::report
