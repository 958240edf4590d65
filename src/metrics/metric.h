// Every metric, described once: its key in files, configs and commands, its name in tables and
// logs, how tables show it, which way is better, what its tests add up over dialogues, and where
// its value lies. The readers and writers of evaluation.json and evaluations.jsonl, tables, marks,
// tests, the figures of sweeps, `straq score` and best.metric go through these lists, so a new
// metric is an entry here and the code that computes it (tests/metrics/metric_test.cpp holds each
// entry to all of them).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/order/foresight.h"
#include "metrics/order/ranking.h"
#include "metrics/response_report.h"
#include "metrics/statistics.h"
#include "metrics/strategy_metrics.h"
#include "metrics/value.h"

namespace straq::metrics {

enum class Better { higher, lower, neither };

// What a metric is computed from, added up over dialogues: what a paired test exchanges.
enum class SumsOf {
  choices,  // counts of strategies (CountMatrix)
  replies,  // n-grams and scores of replies (ResponseSums)
  scores,   // scores and how many there are (MeanSums)
  none,     // it does not add up over dialogues, or nobody compares it: no test takes it
};

// Where it has a column, or a panel.
struct ShownIn {
  bool main = false;     // the paper's Tables 1 and 5, runs, seeds, logs, the figures of sweeps
  bool table2 = false;   // replies on EmpatheticDialogues
  bool table9 = false;   // strategy by strategy
  bool subsets = false;  // `straq score`, by strategy and by emotion
  bool pairs = false;    // `straq score --pairs`
};

struct Metric {
  const char* key;
  const char* title;
  int decimals = 2;     // of a table's cell
  bool percent = true;  // the value is a fraction and is shown times 100
  Better better = Better::higher;
  SumsOf sums = SumsOf::none;
  bool rankable = false;  // rows are sorted and marked by it, and tested where it adds up
  ShownIn shown = {};
  const char* paper = nullptr;   // what the paper calls it, where that is another name
  const char* former = nullptr;  // its key before format 2 of evaluation.json

  double scale() const { return percent ? 100 : 1; }
  // Behind the title, where a heading names it.
  const char* unit() const { return percent ? " %" : ""; }
  bool tested() const { return rankable && sums != SumsOf::none; }
  // True where a value is better than another one.
  bool beats(double value, double other) const {
    return better == Better::lower ? value < other : value > other;
  }
};

// Of choices. Splits have all of them in evaluation.json and best.metric takes those that have a
// better side.
struct StrategyMetric : Metric {
  double StrategyScores::*score;
  std::optional<Interval> StrategyIntervals::*interval = nullptr;  // null: none is computed
  // What it is of each strategy by itself; without a title there is nothing of the kind.
  struct {
    const char* title = nullptr;
    std::vector<double> StrategyReport::*values = nullptr;
    std::optional<Interval> StrategyInterval::*interval = nullptr;
    Better better = Better::higher;
  } of_strategy;

  std::optional<Interval> interval_of(const StrategyIntervals& i) const {
    return interval == nullptr ? std::nullopt : i.*interval;
  }
};

// Of replies.
struct ReplyMetric : Metric {
  ResponseMetric which;
};

// Of a planner's own Q values, per decision; never ranked, for a higher Q is no better a planner.
struct ValueMetric : Metric {
  std::optional<double> (*value)(const ValueReport&);
  const char* table4 = nullptr;  // its heading in Table 4; null: it is not there
};

// Of how Q orders all strategies.
struct RankingMetric : Metric {
  std::optional<double> RankingReport::*score;
  std::optional<Interval> RankingReport::*interval;
};

// Of how well something foresees the seekers' ratings.
struct ForesightMetric : Metric {
  std::optional<double> ForesightScores::*score;
  std::optional<Interval> ForesightScores::*interval = nullptr;  // null: none is computed
};

// In the order of files and tables.
std::span<const StrategyMetric> strategy_metrics();
std::span<const ReplyMetric> reply_metrics();  // in the order of ResponseMetric
std::span<const ValueMetric> value_metrics();
std::span<const RankingMetric> ranking_metrics();
std::span<const ForesightMetric> foresight_metrics();
// A judge's score, the reward of Table 4.
const Metric& reward_metric();

// All of the above.
std::vector<const Metric*> all_metrics();
// Those that have a column there: metrics_in(&ShownIn::table9).
std::vector<const Metric*> metrics_in(bool ShownIn::*place);

// Those of choices in the main tables.
std::vector<const StrategyMetric*> shown_strategy_metrics();

// By key; null where there is none of it.
const Metric* find_metric(std::string_view key);
const StrategyMetric* find_strategy_metric(std::string_view key);
// Throws std::out_of_range for a key that is none: the caller has checked it.
const StrategyMetric& strategy_metric(std::string_view key);
const ReplyMetric& reply_metric(ResponseMetric which);

// Today's key of a word from before format 2 of evaluation.json; other words as they are.
std::string current_key(const std::string& word);
// The key that a file has it under.
std::string key_in(const JsonFields& file, const Metric& metric);

// "Acc 27.93, macro-F1 22.98, B 0.507": those that tables show first, as log lines say it.
std::string words_of(const StrategyScores& scores);
// "Acc, macro-F1 and B"
std::string titles_of(const std::vector<const Metric*>& metrics);

}  // namespace straq::metrics
