#include "metrics/baselines.h"

#include <algorithm>

#include "core/error.h"

namespace straq::metrics {
namespace {

using Counts = std::vector<long>;

int argmax(const Counts& counts) {
  return static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

void require_range(const Prediction& row, int strategies) {
  if (row.gold < 0 || row.gold >= strategies || row.previous < -1 || row.previous >= strategies) {
    fail_input("decision " + row.id() + ": gold " + std::to_string(row.gold) + " and previous " +
                   std::to_string(row.previous) + " must lie below " + std::to_string(strategies),
               "use the strategy set that the episodes were built with");
  }
}

Counts gold_counts(std::span<const Prediction> rows, int strategies) {
  Counts counts(static_cast<std::size_t>(strategies), 0);
  for (const auto& row : rows) ++counts[static_cast<std::size_t>(row.gold)];
  return counts;
}

// The strategy that follows each previous one; entry 0 is "no previous".
std::vector<int> markov_table(std::span<const Prediction> fit, int strategies) {
  if (fit.empty()) {
    fail_input("the Markov baseline has no decisions to count transitions in",
               "give the train and valid splits");
  }
  const auto k = static_cast<std::size_t>(strategies);
  std::vector<Counts> follows(k + 1, Counts(k, 0));
  for (const auto& row : fit) {
    ++follows[static_cast<std::size_t>(row.previous + 1)][static_cast<std::size_t>(row.gold)];
  }
  const int fallback = argmax(gold_counts(fit, strategies));
  std::vector<int> table;
  for (const Counts& counts : follows) {
    const bool seen = std::any_of(counts.begin(), counts.end(), [](long c) { return c > 0; });
    table.push_back(seen ? argmax(counts) : fallback);
  }
  return table;
}

}  // namespace

std::string to_word(Baseline baseline) {
  switch (baseline) {
    case Baseline::majority:
      return "majority";
    case Baseline::repeat_last:
      return "repeat_last";
    case Baseline::markov1:
      return "markov1";
  }
  return {};
}

std::string title_of(Baseline baseline) {
  switch (baseline) {
    case Baseline::majority:
      return "Majority strategy";
    case Baseline::repeat_last:
      return "Repeat last strategy";
    case Baseline::markov1:
      return "Markov-1";
  }
  return {};
}

std::vector<Prediction> baseline_predictions(Baseline baseline, std::span<const Prediction> fit,
                                             std::span<const Prediction> rows,
                                             const BaselineOptions& options) {
  for (const auto& row : fit) require_range(row, options.strategies);
  for (const auto& row : rows) require_range(row, options.strategies);
  std::vector<int> table;
  if (baseline == Baseline::markov1) table = markov_table(fit, options.strategies);
  const int majority = argmax(gold_counts(rows, options.strategies));
  std::vector<Prediction> out(rows.begin(), rows.end());
  for (auto& row : out) {
    row.q.clear();
    row.mc_return.reset();
    switch (baseline) {
      case Baseline::majority:
        row.chosen = majority;
        break;
      case Baseline::repeat_last:
        row.chosen = row.previous < 0 ? options.question : row.previous;
        break;
      case Baseline::markov1:
        row.chosen = table[static_cast<std::size_t>(row.previous + 1)];
        break;
    }
  }
  return out;
}

}  // namespace straq::metrics
