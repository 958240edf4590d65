#include "report/compare/comparison.h"

#include <algorithm>
#include <functional>
#include <set>

#include "core/error.h"
#include "metrics/metric.h"
#include "report/name_lists.h"
#include "report/tables/estimate_cells.h"

namespace straq::report {
namespace {

template <class Sums>
using BySeed = std::map<std::string, std::map<std::string, Sums>>;

// The seeds of a side, and all sums on the dialogues that every seed of both sides has.
template <class Sums>
struct Matched {
  std::vector<std::vector<Sums>> a, b;
  std::size_t left_out = 0;
  bool shared_seeds = false;
};

template <class Sums>
BySeed<Sums> of_side(const Side& side, const BySeed<Sums>& all) {
  if (side.seed.empty()) return all;
  BySeed<Sums> out;
  if (const auto it = all.find(side.seed); it != all.end()) out.insert(*it);
  return out;
}

template <class Sums>
Matched<Sums> matched(const BySeed<Sums>& a, const BySeed<Sums>& b) {
  Matched<Sums> out;
  if (a.empty() || b.empty()) return out;
  std::set<std::string> all, shared;
  for (const auto& [dialogue, sums] : a.begin()->second) shared.insert(dialogue);
  for (const auto* side : {&a, &b}) {
    for (const auto& [seed, dialogues] : *side) {
      for (const auto& [dialogue, sums] : dialogues) all.insert(dialogue);
      std::erase_if(shared, [&](const std::string& d) { return dialogues.count(d) == 0; });
    }
  }
  out.left_out = all.size() - shared.size();
  const auto take = [&](const BySeed<Sums>& side, std::vector<std::vector<Sums>>& to) {
    for (const auto& [seed, dialogues] : side) {
      to.emplace_back();
      for (const auto& dialogue : shared) to.back().push_back(dialogues.at(dialogue));
    }
  };
  take(a, out.a);
  take(b, out.b);
  out.shared_seeds = std::equal(a.begin(), a.end(), b.begin(), b.end(),
                                [](const auto& x, const auto& y) { return x.first == y.first; });
  return out;
}

template <class Sums>
SideDifferences differences_of(const Matched<Sums>& sums, const std::vector<std::string>& keys,
                               const metrics::ScoreAll<Sums>& score, const Sums& nothing) {
  SideDifferences out;
  out.left_out = sums.left_out;
  if (sums.a.empty() || sums.b.empty() || sums.a.front().empty()) return out;
  out.seeds_a = static_cast<int>(sums.a.size());
  out.seeds_b = static_cast<int>(sums.b.size());
  out.shared_seeds = sums.shared_seeds;
  metrics::SeededOptions o;
  o.shared_seeds = sums.shared_seeds;
  out.metrics = metrics::seeded_differences<Sums>(sums.a, sums.b, keys, score, nothing, o);
  return out;
}

SideDifferences of_choices(const Side& a, const Side& b) {
  const auto sums = matched(of_side(a, a.row->counts_of_seed), of_side(b, b.row->counts_of_seed));
  const auto shown = metrics::shown_strategy_metrics();
  std::vector<std::string> keys;
  for (const auto* m : shown) keys.emplace_back(m->key);
  const bool any = !sums.a.empty() && !sums.a.front().empty();
  const int k = any ? sums.a[0][0].k : 1;
  // Sets of other strategies have no difference.
  if (any && !sums.b.empty() && sums.b[0][0].k != k) return {{}, sums.left_out, 0, 0, false};
  const metrics::ScoreAll<metrics::CountMatrix> score = [&](const metrics::CountMatrix& m,
                                                            std::span<double> out) {
    const auto s = metrics::strategy_scores(m);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = s.*shown[i]->score;
  };
  return differences_of<metrics::CountMatrix>(sums, keys, score, metrics::CountMatrix(k));
}

SideDifferences of_replies(const Side& a, const Side& b) {
  std::vector<const metrics::ReplyMetric*> shown;
  std::vector<std::string> keys;
  for (const auto& m : metrics::reply_metrics()) {
    const auto& in = m.shown;
    if (m.sums != metrics::SumsOf::replies || !(in.main || in.table2 || in.table9 || in.subsets)) {
      continue;
    }
    shown.push_back(&m);
    keys.emplace_back(m.key);
  }
  const metrics::ScoreAll<metrics::ResponseSums> score = [&](const metrics::ResponseSums& s,
                                                             std::span<double> out) {
    const auto scores = metrics::additive_scores(s, metrics::BleuVariant::method3);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = scores[shown[i]->which];
  };
  return differences_of<metrics::ResponseSums>(
      matched(of_side(a, a.row->sums_of_seed), of_side(b, b.row->sums_of_seed)), keys, score, {});
}

SideDifferences of_scores(const Side& a, const Side& b) {
  const metrics::ScoreAll<metrics::MeanSums> score =
      [](const metrics::MeanSums& s, std::span<double> out) { out[0] = s.mean(); };
  return differences_of<metrics::MeanSums>(
      matched(of_side(a, a.row->rewards_of_seed), of_side(b, b.row->rewards_of_seed)),
      {metrics::reward_metric().key}, score, {});
}

// Each way to name a row, the surest first.
using Naming = std::function<bool(const MethodRow&)>;
std::vector<Naming> namings(const std::string& word) {
  return {
      [&](const MethodRow& r) { return !r.name.empty() && r.planner && r.name == word; },
      [&](const MethodRow& r) { return r.full_title() == word || r.title() == word; },
      [&](const MethodRow& r) { return r.key() == word && r.setting.empty(); },
      [&](const MethodRow& r) { return r.key() == word || r.method_words() == word; },
      [&](const MethodRow& r) {
        return (!r.name.empty() && r.experiment + "/" + r.name == word) ||
               (!r.label.empty() && (r.experiment + "/" + r.label == word || r.label == word)) ||
               (!r.setting.empty() && r.setting == word);
      },
      [&](const MethodRow& r) { return r.experiment == word; }};
}

[[noreturn]] void refuse_side(const Methods& methods, const std::string& word,
                              const std::string& what, const MethodRows& several) {
  if (several.empty()) {
    fail_input(what + ": nothing here is called \"" + word + "\"",
               "there is: " + listed(side_names(methods), 40) +
                   "; or a run, as the page's overview names it");
  }
  std::vector<std::string> runs;
  for (const MethodRow* r : several) runs.push_back(r->full_title() + " (" + r->runs.front() + ")");
  fail_input(what + ": \"" + word + "\" may be any of " + listed(runs, 12),
             "say which: by its title, as <experiment>/<name>, or by a run");
}

// "3 and 3, the same", "1 and 1".
std::string seeds_words(const SideDifferences& d) {
  return std::to_string(d.seeds_a) + " and " + std::to_string(d.seeds_b) +
         (d.shared_seeds && d.seeds_a > 1 ? ", the same" : "");
}

Cell difference_interval(const std::optional<metrics::Interval>& interval,
                         const metrics::Metric& metric) {
  if (!interval) return Cell::missing();
  double low = metric.scale() * interval->low, high = metric.scale() * interval->high;
  // A t interval knows no bounds; a difference of percentages does.
  if (metrics::find_strategy_metric(metric.key) != nullptr && metric.percent) {
    low = std::max(low, -100.0);
    high = std::min(high, 100.0);
  }
  Cell c;
  c.numeric = true;
  c.text = Cell::real(low, metric.decimals).text + " to " + Cell::real(high, metric.decimals).text;
  c.value = nlohmann::ordered_json::array({low, high});
  return c;
}

struct CompareLine {
  const Side *a, *b;
  const metrics::Metric* metric;
  metrics::SeededDifference found;
  std::string seeds;
  double holm = 1;
};

// p after Holm's correction over the pairs of a metric.
void adjust(std::vector<CompareLine>& lines) {
  for (const metrics::Metric* m : metrics::all_metrics()) {
    std::vector<CompareLine*> family;
    std::vector<double> p;
    for (auto& line : lines) {
      if (line.metric != m) continue;
      family.push_back(&line);
      p.push_back(line.found.p);
    }
    const auto adjusted = metrics::holm(p);
    for (std::size_t i = 0; i < family.size(); ++i) family[i]->holm = adjusted[i];
  }
}

const std::vector<std::string> kCompareNotes = {
    "A minus B, in points, of the means over seeds, on the dialogues that all seeds of both have.",
    "Over dialogues: 95 % percentile bootstrap of whole dialogues, p by exchanging the two in "
    "whole "
    "dialogues (from the bootstrap where one has more seeds). Over dialogues and seeds, where both "
    "have three seeds or more: a bootstrap that draws both (the same seeds for both where they "
    "share them) gives the standard error, interval and p are Student's t with Satterthwaite's "
    "degrees of freedom. With fewer seeds interval and p say nothing of what other seeds would "
    "have "
    "given.",
    "p Holm: over the pairs of one metric. B has no better side by itself: read it beside Acc and "
    "macro-F1."};

}  // namespace

bool is_called(const MethodRow& row, const std::string& word) {
  const auto ways = namings(word);
  return row.method == word ||
         std::any_of(ways.begin(), ways.end(), [&](const Naming& named) { return named(row); });
}

std::vector<std::string> side_names(const Methods& methods) {
  std::vector<std::string> out;
  for (const auto& r : methods.rows) {
    for (const std::string& name : {r.full_title(), r.key()}) {
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
  }
  return out;
}

Side find_side(const Methods& methods, const std::string& word, const std::string& what) {
  for (const auto& named : namings(word)) {
    MethodRows found;
    for (const auto& r : methods.rows) {
      if (named(r)) found.push_back(&r);
    }
    if (found.size() > 1) refuse_side(methods, word, what, found);
    if (found.size() == 1) return {found.front(), "", found.front()->full_title()};
  }
  // A run, by its name or by its point's alone.
  std::vector<Side> runs;
  MethodRows rows;
  for (const auto& r : methods.rows) {
    for (const auto& [seed, run] : r.run_of) {
      const bool same = run == word || run.ends_with("/" + word);
      if (!same) continue;
      runs.push_back({&r, seed, run});
      rows.push_back(&r);
    }
  }
  if (runs.size() != 1) refuse_side(methods, word, what, rows);
  return runs.front();
}

SideDifferences compare_sides(const Side& a, const Side& b, metrics::SumsOf kind) {
  if (kind == metrics::SumsOf::choices) return of_choices(a, b);
  if (kind == metrics::SumsOf::replies) return of_replies(a, b);
  if (kind == metrics::SumsOf::scores) return of_scores(a, b);
  return {};
}

Table compare_table(const Methods& methods, const Pairs& pairs) {
  Table t;
  t.id = "compare";
  t.title = "Chosen settings compared";
  t.columns = {"A",    "B", "Metric", "of A",      "of B",  "Difference",
               "95 %", "p", "p Holm", "Dialogues", "Seeds", "Over"};
  std::vector<std::pair<Side, Side>> sides;
  for (const auto& [a, b] : pairs) {
    sides.emplace_back(find_side(methods, a, "--compare"), find_side(methods, b, "--compare"));
  }
  std::vector<CompareLine> lines;
  for (const auto& [a, b] : sides) {
    bool any = false;
    for (const auto kind :
         {metrics::SumsOf::choices, metrics::SumsOf::replies, metrics::SumsOf::scores}) {
      const SideDifferences found = compare_sides(a, b, kind);
      for (const auto& d : found.metrics) {
        lines.push_back({&a, &b, metrics::find_metric(d.metric), d, seeds_words(found)});
        any = true;
      }
      if (!found.metrics.empty() && found.left_out > 0) {
        t.notes.push_back(a.title + " and " + b.title + ", " + found.metrics.front().metric + ": " +
                          std::to_string(found.left_out) +
                          " dialogues that not all of their seeds have are left out.");
      }
    }
    if (!any) {
      std::vector<Cell> row(t.columns.size(), Cell::missing());
      row[0] = a.title;
      row[1] = b.title;
      t.add(std::move(row));
      t.notes.push_back(a.title + " and " + b.title +
                        " cannot be compared: they share no dialogues with numbers by dialogue "
                        "(predictions/test.jsonl, responses/).");
    }
  }
  adjust(lines);
  for (const auto& line : lines) {
    const metrics::Metric& m = *line.metric;
    const auto& d = line.found;
    t.add({line.a->title, line.b->title, m.title + std::string(m.unit()),
           Cell::real(m.scale() * d.a, m.decimals), Cell::real(m.scale() * d.b, m.decimals),
           Cell::real(m.scale() * d.difference, m.decimals), difference_interval(d.interval, m),
           d.interval ? p_cell(d.p) : Cell::missing(),
           d.interval ? p_cell(line.holm) : Cell::missing(),
           Cell(static_cast<long long>(d.dialogues)), line.seeds,
           d.over_seeds ? "dialogues and seeds" : "dialogues"});
  }
  if (!lines.empty()) t.notes.insert(t.notes.begin(), kCompareNotes.begin(), kCompareNotes.end());
  return t;
}

}  // namespace straq::report
