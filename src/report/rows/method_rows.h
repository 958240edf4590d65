// The rows of the paper's tables, gathered from a results folder: one row a method, responder and
// setting, with its runs that differ in the seed only taken together. A row keeps per dialogue what
// a paired test needs, so that two rows can be compared without reading anything again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "report/rows/comparable.h"
#include "report/rows/estimate.h"
#include "results/results.h"

namespace straq::report {

// Where a number stands: "mi/bellman_seed-1", "evaluation.json", "splits.test.strategy.acc".
struct Source {
  std::string run, file, key;
};

// What a row has of one metric: a value a seed, in the unit that tables show (percent where they
// do).
struct Measured {
  std::map<std::string, double> by_seed;
  std::map<std::string, metrics::Interval> intervals;  // of the seeds that have one
  std::int64_t n = 0;                                  // of a seed; the largest
  std::map<std::string, Source> from;                  // by seed

  // The first value of a seed stays.
  void add(const std::string& seed, double value, const std::optional<metrics::Interval>& interval,
           std::int64_t count, double scale);
  Estimate estimate() const;
};

// A row is one side of the tests too.
struct MethodRow : Comparable {
  std::string experiment, corpus, responder, method;
  std::string setting;            // parameters but the seed; empty when the method has one setting
  std::string name;               // the user's, of the sweep's point
  std::string label;              // the setting, short and unlike those of its experiment
  std::string place;              // where it is from, for rows that would read alike: " of mi"
  bool planner = false;           // its choices are those of its runs' own planner
  std::vector<std::string> runs;  // names, so that every cell can be traced
  std::set<std::string> seeds;
  std::map<std::string, std::string> run_of;  // by seed: its (first) run's name
  std::map<std::string, Measured> metrics;    // by the key of metrics/metric.h
  // By strategy (its index in `labels`), then by metric.
  std::vector<std::map<std::string, Measured>> by_strategy;
  std::vector<metrics::StrategyLabel> labels;
  std::vector<std::int64_t> support;  // gold decisions of each strategy
  std::size_t unparsed = 0;           // judge's answers that could not be read
  bool imitation = false;             // trained under the imitation reward
  std::string own_title;              // of its reward, as its runs say; else method_title

  // Choices that named no strategy, of all, over seeds; what they count as.
  std::int64_t unreadable = 0, choices = 0;
  metrics::InvalidRule invalid_rule = metrics::InvalidRule::others;
  int degenerate = 0;        // seeds whose B rests on a guard
  std::set<int> replicates;  // of the bootstraps behind the intervals
  // Of those behind Acc, F1 and B by strategy; empty where there are none.
  std::set<int> strategy_replicates;
  bool unread = false;  // its predictions were left unread: more runs than are read
  // "version", "data.split", "data.merge_label" -> the values of its runs.
  std::map<std::string, std::set<std::string>> made_with;

  std::vector<metrics::Prediction> decisions;  // of the first seed, for McNemar

  std::string key() const { return responder.empty() ? method : responder + "/" + method; }
  // What the method itself is called: "straQ*-imit".
  std::string method_words() const;
  // As tables name the row: by the user's name for a planner's point, else "straQ*-imit", with its
  // setting where it has one.
  std::string title() const;
  // With the responder: "straQ*-imit (SFT)".
  std::string full_title() const;
};

struct MethodOptions {
  // Of the bootstrap where no stored intervals are there: so many for the first `thorough` files
  // of replies, and for the choices of as many runs by strategy, fewer for those beyond.
  int replicates = 10000;
  std::size_t thorough = 20;
  int fewer_replicates = 2000;
  // Runs whose predictions are read for tests: of methods, and of settings of a sweep. Methods do
  // not wait behind sweeps; of a row all seeds are read or none.
  std::size_t most_named = 96;
  std::size_t most = 48;
};

struct Methods {
  std::vector<MethodRow> rows;  // in order of appearance
  // Trivial planners by corpus, from the first run that has them: title and report.
  std::map<std::string, std::vector<metrics::BaselineEvaluation>> baselines;
  std::vector<std::string> problems;

  std::vector<const MethodRow*> of_corpus(const std::string& corpus) const;
  // Those that have automatic metrics. Not the corpus's own replies, which are what others are
  // measured against, nor rows that were only judged.
  std::vector<const MethodRow*> measured(const std::string& corpus) const;
  // Of these the ones that have numbers by strategy: Table 9 shows the first kMostRanked.
  std::vector<const MethodRow*> with_strategies(const std::string& corpus) const;
  std::vector<std::string> corpora() const;  // "esconv" first
};

Methods gather_methods(const results::Results& results, const MethodOptions& options = {});
// With the replies' scores (report/rows/reply_scores.h) that somebody else needs too.
struct ReplyScores;
Methods gather_methods(const results::Results& results,
                       const std::map<const results::ReplyFile*, ReplyScores>& scores,
                       const MethodOptions& options = {});

// "value_head" or "auto_regressive" from a run's config, else the method that its reward makes
// ("straq_imit"); "planner" when it says nothing of the kind.
std::string method_of(const results::Run& run);
// True for the parameters that method_of reads: a row's name says them already.
bool in_method_name(const std::string& key);
// The corpus that a run's config names, in lower case; "esconv" and "empathetic" also for longer
// names that begin so.
std::string corpus_of(const std::string& name);
// "straQ*-imit (ours)", "Direct", …; a method of one's own keeps its name.
std::string method_title(const std::string& method);
std::string responder_title(const std::string& responder);

using MethodRows = std::vector<const MethodRow*>;

// The rows' titles with their responders, and with their first run where a title comes twice.
std::vector<std::string> names_of(const MethodRows& rows);

// Methods compared by a metric of theirs (report/rows/comparable.h).
Ranking rank(const MethodRows& rows, const metrics::Metric& metric);

}  // namespace straq::report
