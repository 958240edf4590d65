// The tests behind Tables 1 and 2: paired randomisation with Holm's correction, McNemar, seeds.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "metrics/seeds.h"
#include "metrics/statistics.h"
#include "report/compare/comparison.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/method_blocks.h"
#include "report/tables/table_notes.h"

namespace straq::report {
namespace {

// The wanted method, else straQ*: the method itself before a setting of a sweep over it, never the
// best of them.
const MethodRow* proposed_of(const MethodRows& block, const std::string& wanted) {
  const auto of_method = [&](const std::string& method) -> const MethodRow* {
    for (const bool plain : {true, false}) {
      for (const MethodRow* r : block) {
        if (r->method == method && (!plain || r->setting.empty())) return r;
      }
    }
    return nullptr;
  };
  if (!wanted.empty()) {
    if (const MethodRow* r = of_method(wanted)) return r;
    // By a name of the user's, or a title.
    for (const MethodRow* r : block) {
      if (is_called(*r, wanted)) return r;
    }
  }
  for (const char* method : {"straq_imit", "straq_distill"}) {
    if (const MethodRow* r = of_method(method)) return r;
  }
  return block.front();
}

Cell interval_cell(const metrics::Interval& i, const metrics::Metric& metric) {
  const double low = metric.scale() * i.low, high = metric.scale() * i.high;
  Cell c;
  c.numeric = true;
  c.text = Cell::real(low, metric.decimals).text + " to " + Cell::real(high, metric.decimals).text;
  c.value = nlohmann::ordered_json::array({low, high});
  return c;
}

Cell mcnemar_cell(const MethodRow& a, const MethodRow& b) {
  try {
    const auto by_decision = metrics::compare_decisions(a.decisions, b.decisions);
    if (by_decision.decisions > 0) return p_cell(by_decision.test.exact);
  } catch (const Error&) {
    // The same dialogues with other decisions: the dialogue's test stands without it.
  }
  return Cell::missing();
}

// Mean and t interval of the differences by shared seed; below three the differences themselves.
Cell seeds_cell(const std::map<std::string, double>& a, const std::map<std::string, double>& b,
                int decimals) {
  std::vector<double> differences;
  for (const auto& [seed, value] : a) {
    if (const auto it = b.find(seed); it != b.end()) differences.push_back(value - it->second);
  }
  if (differences.size() < 2) return Cell::missing();
  const auto summary = metrics::summarise_seeds(differences);
  if (summary.n < metrics::kFewestSeeds) return values_cell(differences, decimals);
  Estimate e;
  e.value = summary.mean;
  e.seeds = summary.n;
  e.interval = {e.value - summary.half_width, e.value + summary.half_width};
  return estimate_cell(e, decimals);
}

// Of the t test over seeds, where both have enough of them.
Cell seeds_p_cell(const std::map<std::string, double>& a, const std::map<std::string, double>& b) {
  const auto p = metrics::seeds_p(a, b);
  return p ? p_cell(*p) : Cell::missing();
}

// One block's rows against its proposed method.
class BlockTests {
 public:
  BlockTests(const MethodRow& proposed, const MethodRows& others,
             const std::vector<std::string>& names, bool arrows, Untested& untested)
      : proposed_(proposed), others_(others), names_(names), arrows_(arrows), untested_(untested) {}

  void add(const metrics::Metric& metric, Table& table) {
    const std::string key = metric.key, title = metric.title;
    std::vector<metrics::PairedDifference> found;
    std::vector<const MethodRow*> against;
    for (std::size_t i = 0; i < others_.size(); ++i) {
      const MethodRow* other = others_[i];
      if (proposed_.metrics.count(key) == 0 || other->metrics.count(key) == 0) continue;
      const metrics::PairedDifference* d = compared(other, metric);
      if (d == nullptr) {
        untested_.add(names_[i], title,
                      "not the same data by dialogue as " + proposed_.full_title());
      } else if (!d->interval) {
        untested_.add(names_[i], title, kOneDialogue);
      } else {
        found.push_back(*d);
        against.push_back(other);
      }
    }
    std::vector<metrics::PairedDifference*> family;
    for (auto& d : found) family.push_back(&d);
    metrics::holm_adjust(family);
    for (std::size_t i = 0; i < found.size(); ++i) {
      table.add(line(metric, *against[i], found[i]));
    }
  }

 private:
  // Choices and replies are tested once each, for all metrics that rest on them.
  const metrics::PairedDifference* compared(const MethodRow* other, const metrics::Metric& metric) {
    const auto [it, fresh] = known_.try_emplace({other, metric.sums});
    if (fresh) it->second = compare_all(proposed_, *other, metric, true);
    for (const auto& d : it->second) {
      if (d.metric == metric.key) return &d;
    }
    return nullptr;
  }

  std::vector<Cell> line(const metrics::Metric& metric, const MethodRow& other,
                         const metrics::PairedDifference& d) const {
    const std::string key = metric.key;
    const auto& by_seed = proposed_.metrics.at(key).by_seed;
    const auto& others_seeds = other.metrics.at(key).by_seed;
    const auto shared = metrics::compare_seeds(by_seed, others_seeds).differences.n;
    return {proposed_.title(),
            other.title(),
            responder_title(proposed_.responder),
            heading_of(metric, arrows_),
            Cell::real(metric.scale() * d.difference, metric.decimals),
            interval_cell(*d.interval, metric),
            p_cell(d.p),
            p_cell(d.p_holm),
            Cell(static_cast<long long>(d.clusters)),
            key == "acc" ? mcnemar_cell(proposed_, other) : Cell::missing(),
            seeds_cell(by_seed, others_seeds, metric.decimals),
            Cell(static_cast<long long>(shared)),
            seeds_p_cell(by_seed, others_seeds)};
  }

  const MethodRow& proposed_;
  const MethodRows& others_;
  const std::vector<std::string>& names_;
  bool arrows_;
  Untested& untested_;
  std::map<std::pair<const MethodRow*, metrics::SumsOf>, std::vector<metrics::PairedDifference>>
      known_;
};

}  // namespace

Table tests_table(const MethodTable& shape, const MethodRows& rows, const std::string& wanted) {
  Table t;
  t.id = shape.id;
  t.title = shape.title;
  t.columns = {"Proposed",    "Against",
               "Responder",   "Metric",
               "Difference",  "95 %",
               "p",           "p Holm",
               "Dialogues",   "McNemar p (by decision)",
               "Over seeds",  "Shared seeds",
               "p over seeds"};
  Untested untested;
  const auto names = names_of(rows);
  for (auto block : blocks_of(rows)) {
    // Settings of a sweep must not keep methods from being tested.
    if (block.size() > kMostRanked) {
      std::erase_if(block, [&](std::size_t i) { return !rows[i]->setting.empty(); });
    }
    if (block.size() < 2 || block.size() > kMostRanked) continue;
    MethodRows members, others;
    for (const std::size_t i : block) members.push_back(rows[i]);
    const MethodRow* proposed = proposed_of(members, wanted);
    std::vector<std::string> other_names;
    for (const std::size_t i : block) {
      if (rows[i] == proposed) continue;
      others.push_back(rows[i]);
      other_names.push_back(names[i]);
    }
    BlockTests tests(*proposed, others, other_names, shape.arrows, untested);
    for (const auto* m : shape.metrics) {
      if (m->tested()) tests.add(*m, t);
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
      "seeds: mean difference by shared training seed and half its t interval, apart from the "
      "sampling of dialogues; of two seeds both differences. p over seeds: t test of the seeds' "
      "numbers, paired where both have the same seeds, from three seeds on.");
  untested.write(t);
  return t;
}

}  // namespace straq::report
