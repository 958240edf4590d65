// Metrics of strategy choice: accuracy, macro-F1 (the paper's proficiency Q), preference and bias B
// (Bradley-Terry), as Kang et al. 2024 (arXiv 2402.13211, section 3.3 and appendix C.2) define
// them. metrics/metric.h says what files and tables make of each. Everything follows from one count
// matrix, which adds over dialogues: the bootstrap sums matrices instead of visiting decisions
// again.
//
// Numbers are fractions (acc 0.27, macro-F1 0.16), which tables multiply by 100. Never rank by B
// alone: drawing from the class prior has a B near 0.12 with an accuracy of 13 percent, because B
// looks at wrong predictions only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "metrics/predictions.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

// What a decision without a readable choice counts as.
enum class InvalidRule {
  others,  // as the strategy Others (what the published script falls back to)
  wrong,   // as a miss of its gold strategy and a hit of none
  fail,    // refuse to score
};

// Over which strategies the macro average runs.
enum class MacroLabels {
  all,      // every strategy of the set
  present,  // those that occur as gold or as prediction (scikit-learn's rule)
};

struct StrategyOptions {
  int strategies = 8;
  InvalidRule invalid = InvalidRule::others;
  int others = -1;  // which strategy is Others; -1: the set's last
  MacroLabels macro = MacroLabels::all;

  int others_index() const { return others >= 0 ? others : strategies - 1; }
};

// Counts of (gold, predicted); the column after the last strategy holds choices that count as none
// (InvalidRule::wrong). Row-major, k rows of k + 1 columns.
struct CountMatrix {
  explicit CountMatrix(int strategies = 8)
      : k(strategies), cells(static_cast<std::size_t>(k) * (static_cast<std::size_t>(k) + 1), 0) {}

  std::int32_t& at(int gold, int predicted) {
    return cells[static_cast<std::size_t>(gold * (k + 1) + predicted)];
  }
  std::int32_t at(int gold, int predicted) const {
    return cells[static_cast<std::size_t>(gold * (k + 1) + predicted)];
  }
  CountMatrix& operator+=(const CountMatrix& other);
  std::int64_t total() const;

  int k;
  std::vector<std::int32_t> cells;
};

// Preference strengths p (sum k, mean 1; p > 1: over-preferred) and the bias.
struct Preference {
  std::vector<double> p;
  double bias = 0;          // population standard deviation of p
  bool degenerate = false;  // a guard decided something: the published script would print NaN
};

// One Gauss-Seidel sweep of Newman's (2023) iteration over p, in place and without rescaling.
// wins[i * k + j] = decisions predicted i whose gold is j; the diagonal is not read. Returns true
// when a guard was needed: terms with no wins are skipped; an i without any term keeps its p; only
// the denominator empty gives 1e12; a pair whose strengths are both 0 counts 1/2 as its ratio and
// 1e12 as its reciprocal; p is capped at 1e12.
bool bradley_terry_sweep(std::span<const double> wins, std::span<double> p);

// Divides p by the geometric mean of its positive entries: pure rescaling against overflow.
void rescale_by_geometric_mean(std::span<double> p);

// `sweeps` sweeps from p = 1 with rescaling after each, then p scaled to sum k. The published
// metric is exactly 20 sweeps.
Preference bradley_terry(std::span<const double> wins, int sweeps = 20);

// The numbers that a set of decisions has as a whole: those of metrics::strategy_metrics().
struct StrategyScores {
  double acc = 0;          // fraction chosen = gold
  double macro_f1 = 0;     // F1 averaged over strategies
  double weighted_f1 = 0;  // F1 averaged by support
  double bias = 0;         // Preference::bias
};
// Without `bias` it stays 0: its iteration takes most of the time.
StrategyScores strategy_scores(const CountMatrix& counts, MacroLabels macro = MacroLabels::all,
                               bool bias = true);

using Counts2d = std::vector<std::vector<std::int64_t>>;

struct StrategyReport : StrategyScores {
  std::int64_t n = 0;                            // decisions
  std::vector<double> f1, recall, precision;     // per strategy; 0 where the denominator is 0
  std::vector<std::int64_t> support, predicted;  // gold and predicted counts per strategy
  std::vector<double> preference;                // p, see Preference
  bool bt_degenerate = false;
  std::int64_t invalid = 0;  // decisions without a readable choice
  InvalidRule invalid_rule = InvalidRule::others;
  MacroLabels macro = MacroLabels::all;
  Counts2d confusion;        // [gold][predicted]
  Counts2d transition;       // [chosen here][chosen at the next decision of the same dialogue]
  Counts2d gold_transition;  // the same of the human supporters, to compare with

  int strategies() const { return static_cast<int>(support.size()); }

  // Keys as the members are named (metrics::key_in); invalid_rule and macro by their words. A
  // missing key and a wrong shape are errors that name the key.
  void fields(JsonFields& f);
  nlohmann::ordered_json to_json() const;
};

// Throws Error(input) for no rows, for an index outside the set, and under InvalidRule::fail for
// a row without a choice. Rows of one dialogue may come in any order; `index` orders them.
StrategyReport strategy_report(std::span<const Prediction> rows, const StrategyOptions& options);

// One matrix a dialogue, in order of first appearance.
std::vector<CountMatrix> counts_by_dialogue(std::span<const Prediction> rows,
                                            const StrategyOptions& options);

std::string to_word(InvalidRule rule);
std::string to_word(MacroLabels macro);

}  // namespace straq::metrics
