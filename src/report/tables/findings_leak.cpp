// How far a split of single decisions leaks labels, from the runs of a results folder: the same
// planner trained under both splits, seed by seed.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "metrics/baselines.h"
#include "metrics/paired.h"
#include "metrics/seeds.h"
#include "report/rows/method_rows.h"
#include "report/rows/setting_names.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/findings.h"

namespace straq::report {
namespace {

const char* const kSplitKey = "data.split";
const char* const kWhole = "official";
const char* const kSingle = "sample_level";

struct SplitScores {
  std::map<std::string, std::map<std::string, double>> by_metric;  // its key; by seed
  std::map<std::string, double> markov;                            // Markov-1's Acc, by seed
  std::set<std::int64_t> decisions;
};

// Runs that differ in their seed and in how the corpus was split, and in nothing else.
struct Pair {
  std::string experiment, setting, evaluated;
  std::map<std::string, SplitScores> by_split;  // of data.split
  std::vector<std::string> twice;               // seeds that a split has more than once
};

// All that must be equal: the sweep's parameters and the whole config, but for the split's rule and
// the seed.
std::string rest_of(const results::Run& run) {
  std::string out;
  for (const auto* list : {&run.parameters, &run.settings}) {
    for (const auto& [key, value] : *list) {
      if (key != kSplitKey && !results::is_seed(key)) out += key + "=" + value + "\n";
    }
  }
  return out;
}

std::string setting_without_split(const results::Run& run) {
  std::vector<std::string> ignored = results::kSeedKeys;
  ignored.push_back(kSplitKey);
  return short_setting(setting_without(run, ignored));
}

std::vector<Pair> pairs_of(const results::Results& results) {
  std::vector<std::pair<std::string, Pair>> out;
  for (const auto& experiment : results.experiments) {
    for (const results::Run& run : experiment.runs) {
      const auto split = run.parameter(kSplitKey);
      const auto seed = run.seed();
      if (!run.evaluation || !split || !seed || (*split != kWhole && *split != kSingle)) continue;
      for (const auto& [name, e] : run.evaluation->splits) {
        const std::string key = experiment.name + "\n" + name + "\n" + rest_of(run);
        auto at =
            std::find_if(out.begin(), out.end(), [&](const auto& p) { return p.first == key; });
        if (at == out.end()) {
          at = out.insert(out.end(),
                          {key, {experiment.name, setting_without_split(run), name, {}, {}}});
        }
        SplitScores& s = at->second.by_split[*split];
        if (s.by_metric["acc"].count(*seed) > 0) {
          at->second.twice.push_back(*seed);
          continue;
        }
        for (const auto* m : metrics::shown_strategy_metrics()) {
          s.by_metric[m->key][*seed] = m->scale() * e.strategy.*m->score;
        }
        s.decisions.insert(e.strategy.n);
        for (const auto& [of, baselines] : run.evaluation->baselines) {
          if (of != name) continue;
          for (const auto& b : baselines) {
            if (b.name == metrics::to_word(metrics::Baseline::markov1)) {
              s.markov[*seed] = 100 * b.strategy.acc;
            }
          }
        }
      }
    }
  }
  std::vector<Pair> pairs;
  for (auto& [key, pair] : out) {
    if (pair.by_split.size() == 2) pairs.push_back(std::move(pair));
  }
  return pairs;
}

// "25.11 (sd 0.45)"
Cell spread(const std::map<std::string, double>& by_seed, int decimals) {
  if (by_seed.empty()) return Cell::missing();
  std::vector<double> values;
  for (const auto& [seed, x] : by_seed) values.push_back(x);
  const auto s = metrics::summarise_seeds(values);
  Estimate e;
  e.value = s.mean;
  e.seeds = s.n;
  if (s.n > 1) e.seed_sd = s.sd;
  return estimate_cell(e, decimals);
}

// "+1.56 ±5.70 (sd 2.29)"
Cell difference(const metrics::SeedSummary& d, int decimals) {
  if (d.n == 0) return missing_cell("no seed in common");
  Estimate e;
  e.value = d.mean;
  e.seeds = d.n;
  if (d.n >= metrics::kFewestSeeds) {
    e.interval = metrics::Interval{d.mean - d.half_width, d.mean + d.half_width};
  }
  if (d.n > 1) e.seed_sd = d.sd;
  Cell c = estimate_cell(e, decimals);
  if (d.mean >= 0) c.text.insert(0, "+");
  return c;
}

std::string words(const std::set<std::int64_t>& n) {
  return (n.size() < 2 ? "" : std::to_string(*n.begin()) + " to ") + std::to_string(*n.rbegin());
}

}  // namespace

std::optional<Table> leak_table(const results::Results& results) {
  const auto pairs = pairs_of(results);
  if (pairs.empty()) return std::nullopt;
  const auto shown = metrics::shown_strategy_metrics();
  Table t;
  t.id = "findings_leak";
  t.title = "Split leak: the same planner under splits of whole dialogues and of single decisions";
  t.columns = {"Experiment", "Setting", "Evaluated", "Split", "Seeds", "Decisions"};
  for (const auto* m : shown) t.columns.push_back(m->title + std::string(m->unit()));
  t.columns.push_back("Acc % of Markov-1");
  for (const Pair& p : pairs) {
    const std::string setting = p.setting.empty() ? "–" : p.setting;
    for (const char* split : {kWhole, kSingle}) {
      const SplitScores& s = p.by_split.at(split);
      const std::string n = words(s.decisions);
      std::vector<Cell> row = {
          p.experiment,
          setting,
          p.evaluated,
          split,
          Cell(s.by_metric.at("acc").size()),
          s.decisions.size() == 1 ? Cell(static_cast<long long>(*s.decisions.begin())) : Cell(n)};
      for (const auto* m : shown) row.push_back(spread(s.by_metric.at(m->key), m->decimals));
      row.push_back(spread(s.markov, 2));
      t.add(std::move(row));
    }
    const SplitScores &whole = p.by_split.at(kWhole), &single = p.by_split.at(kSingle);
    const auto paired = [&](const std::string& key) {
      return metrics::compare_seeds(single.by_metric.at(key), whole.by_metric.at(key)).differences;
    };
    const auto acc = paired("acc");
    std::vector<Cell> row = {p.experiment, setting,
                             p.evaluated,  "difference, paired by seed",
                             Cell(acc.n),  Cell::missing()};
    for (const auto* m : shown) row.push_back(difference(paired(m->key), m->decimals));
    row.push_back(Cell::missing());
    t.add(std::move(row));
    const std::string where =
        p.experiment + (p.setting.empty() ? "" : ", " + p.setting) + ", " + p.evaluated;
    if (acc.n < 2) {
      t.notes.push_back(where +
                        ": fewer than two seeds are there under both splits, so nothing "
                        "can be said of the difference.");
    } else {
      const double low = acc.mean - acc.half_width, high = acc.mean + acc.half_width;
      t.notes.push_back(where + ": the interval of the difference in Acc goes from " +
                        Cell::real(low, 2).text + " to " + Cell::real(high, 2).text +
                        (low > 0    ? ", so single decisions give more than chance over seeds."
                         : high < 0 ? ", so single decisions give less than whole dialogues."
                                    : ", so no leak can be told from the spread over seeds."));
    }
    if (!p.twice.empty()) {
      t.notes.push_back(where + ": of runs with the same split and seed the first one counts (" +
                        std::to_string(p.twice.size()) + " are left out).");
    }
  }
  t.notes.push_back(
      "Mean over training seeds with their sample standard deviation; of the difference "
      "(sample_level less official) also ± half the 95 % t interval. The two splits test on other "
      "decisions, so Markov-1, which cannot profit from a leak, says how hard each is. "
      "docs/findings.md has the measurement and what it does not show.");
  return t;
}

}  // namespace straq::report
