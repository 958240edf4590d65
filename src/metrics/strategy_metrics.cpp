#include "metrics/strategy_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "core/error.h"
#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::metrics {
namespace {

constexpr double kCap = 1e12;

// What a row counts as: a strategy, or k for "none".
int predicted_of(const Prediction& row, const StrategyOptions& o) {
  if (row.gold < 0 || row.gold >= o.strategies || row.chosen >= o.strategies) {
    fail_input("decision " + row.id() + ": gold " + std::to_string(row.gold) + " and chosen " +
                   std::to_string(row.chosen) + " must lie below " + std::to_string(o.strategies),
               "score with the strategy set that the predictions were made with");
  }
  if (row.chosen >= 0) return row.chosen;
  switch (o.invalid) {
    case InvalidRule::others:
      return o.others_index();
    case InvalidRule::wrong:
      return o.strategies;
    case InvalidRule::fail:
      break;
  }
  fail_input("decision " + row.id() + " has no readable choice and the rule is to refuse those",
             "set the rule for invalid choices to others or wrong");
}

std::vector<double> wins_of(const CountMatrix& c) {
  const auto k = static_cast<std::size_t>(c.k);
  std::vector<double> wins(k * k);
  for (int gold = 0; gold < c.k; ++gold) {
    for (int predicted = 0; predicted < c.k; ++predicted) {
      wins[static_cast<std::size_t>(predicted) * k + static_cast<std::size_t>(gold)] =
          c.at(gold, predicted);
    }
  }
  return wins;
}

// Margins of a count matrix, from which accuracy and all F1 follow.
struct Margins {
  std::vector<std::int64_t> support, predicted, hits;
  std::int64_t n = 0, correct = 0;
  explicit Margins(const CountMatrix& c)
      : support(static_cast<std::size_t>(c.k)), predicted(support), hits(support) {
    for (int gold = 0; gold < c.k; ++gold) {
      const auto g = static_cast<std::size_t>(gold);
      for (int p = 0; p <= c.k; ++p) {
        support[g] += c.at(gold, p);
        if (p < c.k) predicted[static_cast<std::size_t>(p)] += c.at(gold, p);
      }
      hits[g] = c.at(gold, gold);
      n += support[g];
      correct += hits[g];
    }
  }
  double f1(std::size_t i) const {
    // 2 TP + FP + FN = predicted + support
    const std::int64_t denominator = predicted[i] + support[i];
    return denominator == 0 ? 0.0
                            : 2.0 * static_cast<double>(hits[i]) / static_cast<double>(denominator);
  }
  double macro_f1(MacroLabels macro) const {
    double sum = 0;
    int labels = 0;
    for (std::size_t i = 0; i < support.size(); ++i) {
      if (macro == MacroLabels::present && support[i] + predicted[i] == 0) continue;
      sum += f1(i);
      ++labels;
    }
    return labels == 0 ? 0.0 : sum / labels;
  }
  double weighted_f1() const {
    double sum = 0;
    for (std::size_t i = 0; i < support.size() && n > 0; ++i) {
      sum += f1(i) * static_cast<double>(support[i]) / static_cast<double>(n);
    }
    return sum;
  }
};

double ratio(std::int64_t a, std::int64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

// All but the bias.
StrategyScores scores_of(const Margins& m, MacroLabels macro) {
  return {ratio(m.correct, m.n), m.macro_f1(macro), m.weighted_f1(), 0};
}

Counts2d square(int k) {
  return Counts2d(static_cast<std::size_t>(k),
                  std::vector<std::int64_t>(static_cast<std::size_t>(k), 0));
}

}  // namespace

CountMatrix& CountMatrix::operator+=(const CountMatrix& other) {
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] += other.cells[i];
  return *this;
}

std::int64_t CountMatrix::total() const {
  std::int64_t n = 0;
  for (std::int32_t c : cells) n += c;
  return n;
}

bool bradley_terry_sweep(std::span<const double> wins, std::span<double> p) {
  const std::size_t k = p.size();
  bool guarded = false;
  for (std::size_t i = 0; i < k; ++i) {
    double numerator = 0, denominator = 0;
    for (std::size_t j = 0; j < k; ++j) {
      if (j == i) continue;
      const double won = wins[i * k + j], lost = wins[j * k + i];
      const double sum = p[i] + p[j];
      const bool empty = sum == 0;
      guarded = guarded || empty;
      if (won != 0) numerator += won * (empty ? 0.5 : p[j] / sum);
      if (lost != 0) denominator += lost * (empty ? kCap : 1.0 / sum);
    }
    if (denominator == 0) {
      guarded = true;
      if (numerator != 0) p[i] = kCap;
    } else {
      p[i] = std::min(numerator / denominator, kCap);
    }
  }
  return guarded;
}

void rescale_by_geometric_mean(std::span<double> p) {
  double sum = 0;
  int positive = 0;
  for (double x : p) {
    if (x > 0) {
      sum += std::log(x);
      ++positive;
    }
  }
  if (positive == 0) return;
  const double mean = std::exp(sum / positive);
  for (double& x : p) x = std::min(x / mean, kCap);
}

Preference bradley_terry(std::span<const double> wins, int sweeps) {
  const auto k = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(wins.size()))));
  Preference out;
  out.p.assign(k, 1.0);
  for (int s = 0; s < sweeps; ++s) {
    out.degenerate = bradley_terry_sweep(wins, out.p) || out.degenerate;
    rescale_by_geometric_mean(out.p);
  }
  double sum = 0;
  for (double x : out.p) sum += x;
  const auto count = static_cast<double>(k);
  double squares = 0;
  for (double& x : out.p) {
    // With every p at 0 there is no preference to scale; 1 says "none".
    x = sum > 0 ? count * x / sum : 1.0;
    squares += (x - 1.0) * (x - 1.0);
  }
  out.bias = std::sqrt(squares / count);
  return out;
}

StrategyScores strategy_scores(const CountMatrix& counts, MacroLabels macro, bool bias) {
  StrategyScores s = scores_of(Margins(counts), macro);
  if (bias) s.bias = bradley_terry(wins_of(counts)).bias;
  return s;
}

std::vector<CountMatrix> counts_by_dialogue(std::span<const Prediction> rows,
                                            const StrategyOptions& options) {
  std::vector<CountMatrix> out;
  std::unordered_map<std::string, std::size_t> place;
  for (const Prediction& row : rows) {
    const auto [it, added] = place.try_emplace(row.dialogue, out.size());
    if (added) out.emplace_back(options.strategies);
    ++out[it->second].at(row.gold, predicted_of(row, options));
  }
  return out;
}

StrategyReport strategy_report(std::span<const Prediction> rows, const StrategyOptions& options) {
  if (rows.empty()) {
    fail_input("there are no decisions to score", "check the split and data.limit");
  }
  StrategyReport r;
  r.invalid_rule = options.invalid;
  r.macro = options.macro;
  CountMatrix counts(options.strategies);
  std::map<std::string, std::map<int, std::pair<int, int>>> dialogues;  // index -> chosen, gold
  for (const Prediction& row : rows) {
    const int predicted = predicted_of(row, options);
    ++counts.at(row.gold, predicted);
    r.invalid += row.chosen < 0;
    dialogues[row.dialogue][row.index] = {predicted, row.gold};
  }
  const Margins m(counts);
  const auto k = static_cast<std::size_t>(options.strategies);
  static_cast<StrategyScores&>(r) = scores_of(m, options.macro);
  r.n = m.n;
  r.support = m.support;
  r.predicted = m.predicted;
  for (std::size_t i = 0; i < k; ++i) {
    r.f1.push_back(m.f1(i));
    r.recall.push_back(ratio(m.hits[i], m.support[i]));
    r.precision.push_back(ratio(m.hits[i], m.predicted[i]));
  }
  Preference preference = bradley_terry(wins_of(counts));
  r.preference = std::move(preference.p);
  r.bias = preference.bias;
  r.bt_degenerate = preference.degenerate;
  r.confusion = r.transition = r.gold_transition = square(options.strategies);
  for (std::size_t g = 0; g < k; ++g) {
    for (std::size_t p = 0; p < k; ++p) {
      r.confusion[g][p] = counts.at(static_cast<int>(g), static_cast<int>(p));
    }
  }
  for (const auto& [id, decisions] : dialogues) {
    for (auto here = decisions.begin(); here != decisions.end(); ++here) {
      const auto next = std::next(here);
      // A gap (a filtered decision) is no transition.
      if (next == decisions.end() || next->first != here->first + 1) continue;
      const auto [from, gold_from] = here->second;
      const auto [to, gold_to] = next->second;
      ++r.gold_transition[static_cast<std::size_t>(gold_from)][static_cast<std::size_t>(gold_to)];
      if (from < options.strategies && to < options.strategies) {
        ++r.transition[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
      }
    }
  }
  return r;
}

std::string to_word(InvalidRule rule) {
  return rule == InvalidRule::others ? "others" : rule == InvalidRule::wrong ? "wrong" : "fail";
}

std::string to_word(MacroLabels macro) {
  return macro == MacroLabels::all ? "all" : "present";
}

void StrategyReport::fields(JsonFields& f) {
  f("n", n);
  for (const auto& m : strategy_metrics()) f(key_in(f, m), this->*m.score);
  f("bt_degenerate", bt_degenerate);
  f("invalid", invalid);
  f.word("invalid_rule", invalid_rule,
         {InvalidRule::others, InvalidRule::wrong, InvalidRule::fail});
  f.word("macro", macro, {MacroLabels::all, MacroLabels::present});
  f("support", support);
  const std::size_t k = support.size();
  f("predicted", predicted, k);
  f("f1", f1, k);
  f("recall", recall, k);
  f("precision", precision, k);
  f("preference", preference, k);
  for (auto [key, matrix] :
       {std::pair{"confusion", &confusion}, std::pair{"transition", &transition},
        std::pair{"gold_transition", &gold_transition}}) {
    f(key, *matrix, k);
    for (const auto& row : *matrix) {
      if (row.size() != k) f.fail(key, "must have " + std::to_string(k) + " numbers a row");
    }
  }
}

nlohmann::ordered_json StrategyReport::to_json() const {
  return write_json(*this);
}

}  // namespace straq::metrics
