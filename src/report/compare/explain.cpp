#include "report/compare/explain.h"

#include <algorithm>

#include "core/error.h"
#include "metrics/metric.h"
#include "report/compare/comparison.h"
#include "report/name_lists.h"
#include "report/rows/method_rows.h"
#include "report/tables/estimate_cells.h"
#include "results/results.h"

namespace straq::report {
namespace {

// The corpus whose methods a table shows.
std::string corpus_of_table(const Methods& methods, const std::string& table) {
  std::vector<std::string> known;
  for (const auto& corpus : methods.corpora()) {
    const bool any = !methods.measured(corpus).empty();
    std::vector<std::string> tables;
    if (corpus == "esconv") {
      tables = {"table1", "table4", "table5", "table9"};
    } else if (corpus == "empathetic") {
      tables = {"table2"};
    } else {
      tables = {"table1_" + (corpus.empty() ? "unnamed" : corpus)};
    }
    for (const auto& name : tables) {
      if (name == table && any) return corpus;
      if (any) known.push_back(name);
    }
  }
  fail_input("--explain: there is no table of methods \"" + table + "\" here",
             known.empty() ? "no run has numbers of methods yet" : "there is: " + joined(known));
}

const metrics::Metric& metric_called(const MethodRow& row, const std::string& word) {
  std::vector<std::string> known;
  for (const metrics::Metric* m : metrics::all_metrics()) {
    if (row.metrics.count(m->key) == 0) continue;
    if (word == m->title || metrics::current_key(word) == m->key) return *m;
    known.emplace_back(m->key);
  }
  fail_input("--explain: " + row.full_title() + " has no metric \"" + word + "\"",
             "it has: " + joined(known));
}

const results::Run* run_called(const results::Results& results, const std::string& name) {
  for (const results::Run* run : results.runs()) {
    if (run->name() == name) return run;
  }
  return nullptr;
}

// How the run is made again, as it says itself; else how its numbers are.
std::string command_of(const results::Results& results, const std::string& name) {
  const results::Run* run = run_called(results, name);
  if (run == nullptr) return "–";
  if (run->known.reproduce) return *run->known.reproduce;
  return run->evaluation ? "straq evaluate " + results.shortened(run->path) : "–";
}

}  // namespace

Table explain(const std::string& path, const ExplainOptions& options) {
  const results::Results results = results::read_results(path, {options.reproduced});
  Methods methods = gather_methods(results);
  const std::string corpus = corpus_of_table(methods, options.table);
  std::erase_if(methods.rows, [&](const MethodRow& r) { return r.corpus != corpus; });
  const Side side = find_side(methods, options.method, "--explain");
  const MethodRow& row = *side.row;
  const metrics::Metric& metric = metric_called(row, options.metric);
  const Measured& measured = row.metrics.at(metric.key);
  Table t;
  t.id = "explain";
  t.title = options.table + ", " + side.title + ", " + metric.title + metric.unit();
  t.columns = {"Seed", "Run", "File", "Key", "Value", "95 %", "n", "Made again by"};
  for (const auto& [seed, value] : measured.by_seed) {
    if (!side.seed.empty() && seed != side.seed) continue;
    const auto from = measured.from.find(seed);
    const auto interval = measured.intervals.find(seed);
    Cell ends = Cell::missing();
    if (interval != measured.intervals.end()) {
      ends = Cell(Cell::real(interval->second.low, metric.decimals).text + " to " +
                  Cell::real(interval->second.high, metric.decimals).text);
    }
    const bool known = from != measured.from.end();
    t.add({seed, known ? from->second.run : "–", known ? from->second.file : "–",
           known && !from->second.key.empty() ? from->second.key : "computed from its rows",
           Cell::real(value, metric.decimals), ends, Cell(static_cast<long long>(measured.n)),
           known ? command_of(results, from->second.run) : "–"});
  }
  const Estimate e = measured.estimate();
  std::string mean = "The cell shows " + estimate_cell(e, metric.decimals).text;
  mean += e.seeds > 1 ? ", the mean over " + std::to_string(e.seeds) + " seeds" : ", of one seed";
  if (e.interval && e.seeds > 1) mean += "; its interval's ends are the means of theirs";
  t.notes.push_back(mean + ".");
  if (metric.percent) t.notes.push_back("The files hold fractions; tables show percent.");
  return t;
}

}  // namespace straq::report
