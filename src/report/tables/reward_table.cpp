// Table 4: a judge's rewards, and the values that planners give.
#include <algorithm>

#include "report/tables/cells.h"
#include "report/tables/method_blocks.h"
#include "report/tables/paper_rows.h"
#include "report/tables/paper_tables.h"
#include "report/tables/table_notes.h"
#include "report/tables/tables.h"
#include "report/words.h"

namespace straq::report {
namespace {

constexpr MetricColumn kReward = {"reward", "Reward", 2};
// A planner's own numbers, per decision.
constexpr MetricColumn kValues[] = {{"max_q", "Mean max Q", 3},
                                    {"chosen_q", "Mean Q chosen", 3},
                                    {"return", "Mean return", 3},
                                    {"spearman", "Spearman Q, return", 3}};

Cell metric_cell(const MethodRow& r, const MetricColumn& c) {
  const auto it = r.metrics.find(c.key);
  return it == r.metrics.end() ? Cell::missing() : estimate_cell(it->second.estimate(), c.decimals);
}

// The paper's reward stands beside ours. What its values sum up is not said, so they stand apart.
Cell paper_value(const ReferenceTable& reference, const std::string& key) {
  return paper_cell(reference.value(key, "value"), reference.doubtful(key, "value"));
}

std::vector<Cell> row_of(const MethodRow& r, Emphasis emphasis, const ReferenceTable& reference) {
  Cell reward = metric_cell(r, kReward);
  emphasise(reward, emphasis);
  std::vector<Cell> cells = {r.title(), responder_title(r.responder),
                             beside(std::move(reward), reference, r.method, "reward"),
                             paper_value(reference, r.method)};
  std::int64_t decisions = 0;
  for (const auto& c : kValues) {
    const auto it = r.metrics.find(c.key);
    if (it != r.metrics.end()) decisions = std::max(decisions, it->second.n);
    cells.push_back(metric_cell(r, c));
  }
  const auto judged = r.metrics.find("reward");
  const bool is_judged = judged != r.metrics.end();
  cells.push_back(is_judged ? Cell(r.unparsed) : Cell::missing());
  cells.push_back(count_cell(decisions, is_judged ? judged->second.n : 0));
  cells.push_back(Cell(r.seeds.size()));
  cells.push_back(Cell(joined(r.runs)));
  return cells;
}

std::vector<Cell> unrewarded_row(const std::string& key, const ReferenceTable& reference) {
  std::vector<Cell> cells = {method_title(key), "–",
                             beside(missing_cell(), reference, key, "reward"),
                             paper_value(reference, key)};
  cells.resize(cells.size() + std::size(kValues), missing_cell());
  for (int i = 0; i < 4; ++i) cells.push_back(Cell::missing());
  return cells;
}

void add_meaning_notes(Table& t, bool imitation, bool tested) {
  t.notes.push_back(
      "Reward: a judge model's overall score, 1 to 5, over answers that could be read. The rest is "
      "a planner's own, per decision: return is the discounted sum of rewards from the decision to "
      "the dialogue's end, Spearman the rank correlation of the chosen strategy's Q with it.");
  if (imitation) t.notes.push_back(kImitationReturn);
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
  Table t;
  t.id = "table4";
  t.title = kTable4Title;
  t.columns = {"Method", "Responder", kReward.title, "Value paper"};
  for (const auto& c : kValues) t.columns.push_back(c.title);
  for (const char* c : {"Unreadable", "n", "Seeds", "Runs"}) t.columns.push_back(c);
  const auto all = methods.of_corpus("esconv");
  const Ranking ranking = rank(all, "reward");
  MethodRows shown;
  std::vector<Emphasis> emphasis;
  bool imitation = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& metrics = all[i]->metrics;
    if (metrics.count("reward") + metrics.count("max_q") == 0) continue;
    shown.push_back(all[i]);
    emphasis.push_back(ranking.emphasis[i]);
    imitation = imitation || (all[i]->imitation && metrics.count("return") > 0);
  }
  if (shown.empty()) return t;
  PaperRows rows;
  rows.ours = shown.size();
  rows.fits = [&](std::size_t i, const std::string& key) { return shown[i]->method == key; };
  rows.row = [&](std::size_t i) { return row_of(*shown[i], emphasis[i], reference); };
  rows.absent = [&](const std::string& key) { return unrewarded_row(key, reference); };
  rows.name = method_title;
  place_rows(t, reference, rows);
  add_meaning_notes(t, imitation, ranking.tested);
  Untested untested;
  untested.add(names_of(all), kReward.title, ranking);
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
