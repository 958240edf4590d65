#include "report/tables/table_notes.h"

#include <algorithm>
#include <map>

#include "report/name_lists.h"

namespace straq::report {
namespace {

std::string grouped(int n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

// ", 10,000 replicates; 2,000 for CoT": of all rows, and of those with fewer.
std::string replicates_of(const MethodRows& rows, std::set<int> MethodRow::*replicates) {
  int most = 0;
  for (const MethodRow* r : rows) {
    if (!(r->*replicates).empty()) most = std::max(most, *(r->*replicates).rbegin());
  }
  std::map<int, std::vector<std::string>, std::greater<>> fewer;
  const auto names = names_of(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const int n : rows[i]->*replicates) {
      if (n < most) fewer[n].push_back(names[i]);
    }
  }
  std::string out = most > 0 ? ", " + grouped(most) + " replicates" : "";
  for (const auto& [n, titles] : fewer) out += "; " + grouped(n) + " for " + listed(titles, 6);
  return out;
}

// "straQ*-imit 2 of 3": rows of which the choices of fewer seeds are known than Acc is of.
std::vector<std::string> fewer_counted_seeds(const MethodRows& rows, int least) {
  std::vector<std::string> out;
  const auto names = names_of(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const MethodRow* r = rows[i];
    const auto acc = r->metrics.find("acc");
    if (acc == r->metrics.end() || r->count_seeds < least) continue;
    const std::size_t seeds = acc->second.by_seed.size();
    if (static_cast<std::size_t>(r->count_seeds) >= seeds) continue;
    out.push_back(names[i] + " " + std::to_string(r->count_seeds) + " of " + std::to_string(seeds));
  }
  return out;
}

}  // namespace

void Untested::add(const std::string& row, const std::string& metric, const std::string& reason) {
  for (auto& e : entries_) {
    if (e.row != row || e.reason != reason) continue;
    if (std::find(e.metrics.begin(), e.metrics.end(), metric) == e.metrics.end()) {
      e.metrics.push_back(metric);
    }
    return;
  }
  entries_.push_back({row, reason, {metric}});
}

void Untested::add(const std::vector<std::string>& names, const std::string& metric,
                   const Ranking& ranking) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!ranking.left_out[i].empty()) add(names[i], metric, ranking.left_out[i]);
  }
}

void Untested::write(Table& table) const {
  std::vector<std::pair<std::string, std::vector<std::string>>> notes;
  for (const auto& e : entries_) {
    const std::string what = "Not tested in " + joined(e.metrics) + " (" + e.reason + "): ";
    const auto at =
        std::find_if(notes.begin(), notes.end(), [&](const auto& n) { return n.first == what; });
    (at == notes.end() ? *notes.insert(notes.end(), {what, {}}) : *at).second.push_back(e.row);
  }
  for (const auto& [what, rows] : notes) table.notes.push_back(what + listed(rows) + ".");
}

void add_fewer_seeds_note(Table& table, const MethodRows& rows) {
  const auto found = fewer_counted_seeds(rows, 1);
  if (!found.empty()) {
    table.notes.push_back(
        "Acc and macro-F1 are tested on fewer seeds than the cells are of, because the predictions "
        "of the others are missing: " +
        listed(found) + ".");
  }
}

void add_choice_notes(Table& table, const MethodRows& rows, std::vector<std::string> others) {
  std::map<metrics::InvalidRule, std::vector<std::string>> unreadable;
  std::vector<std::string> degenerate;
  const auto names = names_of(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const MethodRow* r = rows[i];
    if (r->unreadable > 0 && r->choices > 0) {
      const double percent =
          100 * static_cast<double>(r->unreadable) / static_cast<double>(r->choices);
      unreadable[r->invalid_rule].push_back(names[i] + " " + std::to_string(r->unreadable) +
                                            " of " + std::to_string(r->choices) + " (" +
                                            Cell::real(percent, 2).text + " %)");
    }
    if (r->degenerate > 0) {
      const bool some = static_cast<std::size_t>(r->degenerate) < r->seeds.size();
      degenerate.push_back(names[i] + (some ? " (" + std::to_string(r->degenerate) + " of " +
                                                  std::to_string(r->seeds.size()) + " seeds)"
                                            : ""));
    }
  }
  for (const auto& [rule, list] : unreadable) {
    const bool as_others = rule == metrics::InvalidRule::others;
    table.notes.push_back("Choices that name no strategy, which count as " +
                          std::string(as_others ? "Others" : "misses") +
                          " (over all seeds): " + listed(list) + ".");
  }
  degenerate.insert(degenerate.end(), others.begin(), others.end());
  if (!degenerate.empty()) {
    table.notes.push_back(
        "B rests on a guard, because a strategy has no wrong choices to be compared by (it was "
        "never taken for another, or several were never chosen); the published script has no "
        "number there: " +
        listed(degenerate) + ".");
  }
}

void add_made_with_notes(Table& table, const MethodRows& rows) {
  const auto names = names_of(rows);
  const std::pair<const char*, const char*> kinds[] = {
      {"version", "Made by different versions of the program"},
      {"data.split", "Of different splits (data.split), which do not compare"},
      {"data.merge_label", "Labelled by different rules (data.merge_label), which do not compare"}};
  for (const auto& [key, what] : kinds) {
    std::map<std::string, std::vector<std::string>> by_value;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const MethodRow* r = rows[i];
      const auto it = r->made_with.find(key);
      if (it == r->made_with.end()) continue;
      for (const auto& value : it->second) by_value[value].push_back(names[i]);
    }
    if (by_value.size() < 2) continue;
    std::vector<std::string> parts;
    for (const auto& [value, titles] : by_value) parts.push_back(value + ": " + listed(titles, 6));
    table.notes.push_back(std::string(what) + ". " + joined(parts, "; ") + ".");
  }
}

void add_interval_notes(Table& table, const MethodRows& rows) {
  table.notes.push_back(
      "±: half the 95 % interval of the bootstrap over dialogues (mean over seeds" +
      replicates_of(rows, &MethodRow::replicates) +
      "), [its ends] where they are not about as far from the number; both are in the CSV. sd: "
      "over training seeds, which the interval "
      "does not contain. n: decisions of a seed, or replies where there are no "
      "choices; \"decisions / replies\" where both are there and differ.");
}

void add_strategy_interval_notes(Table& table, const MethodRows& rows) {
  std::string replicates = replicates_of(rows, &MethodRow::strategy_replicates);
  // The other columns' draws are those of Table 1, whose note counts them.
  if (!replicates.empty()) replicates = "; of Acc, F1 and B" + replicates.substr(1);
  table.notes.push_back(
      "±: half the 95 % interval of the bootstrap over dialogues (mean over seeds" + replicates +
      "), [its ends] where they are not about as far from the number; both are in the CSV. sd: "
      "over "
      "training seeds, which the interval does not contain. n: the strategy's decisions.");
  table.notes.push_back(
      "A draw without a decision of the strategy has neither its recall nor its F1, and one in "
      "which a preference rests on a guard (a strategy that is never taken for another, or "
      "several that are never chosen wrongly) has no B: the interval leaves such draws out, and "
      "where they are more than one in twenty there is none.");
  bool flat = false;
  for (const MethodRow* r : rows) {
    for (const auto& measured : r->by_strategy) {
      for (const auto& m : metrics::strategy_metrics()) {
        const auto it = measured.find(m.key);
        if (it == measured.end()) continue;
        const auto interval = it->second.estimate().interval;
        flat = flat || (interval && interval->low == interval->high);
      }
    }
  }
  if (flat) {
    table.notes.push_back(
        "An interval of Acc, F1 or B without width (a strategy that is always or never hit) says "
        "that all draws agree, not that the number is certain.");
  }
  const auto unread = fewer_counted_seeds(rows, 0);
  if (!unread.empty()) {
    table.notes.push_back(
        "Without intervals of Acc, F1 and B, because predictions are missing or were not read "
        "(seeds that were read, of all): " +
        listed(unread) + ".");
  }
}

Cell count_cell(std::int64_t first, std::int64_t second) {
  if (first == 0 || second == 0 || first == second) {
    return Cell(static_cast<long long>(std::max(first, second)));
  }
  Cell out(std::to_string(first) + " / " + std::to_string(second));
  out.numeric = true;
  return out;
}

}  // namespace straq::report
