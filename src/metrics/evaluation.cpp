#include "metrics/evaluation.h"

#include "core/json/json_fields.h"

namespace straq::metrics {
namespace {

using nlohmann::ordered_json;
constexpr int kFormat = 2, kOldestFormat = 1;

struct Scored {
  StrategyReport strategy;
  StrategyIntervals intervals;
};

Scored score(std::span<const Prediction> rows, const EvaluationOptions& options) {
  Scored s;
  s.strategy = strategy_report(rows, options.strategy);
  s.intervals = bootstrap_strategy(counts_by_dialogue(rows, options.strategy), options.bootstrap,
                                   options.strategy.macro);
  return s;
}

}  // namespace

std::vector<StrategyLabel> labels_of(const dialogue::StrategySet& strategies) {
  std::vector<StrategyLabel> out;
  for (int i = 0; i < strategies.size(); ++i) {
    out.push_back({strategies[i].name, strategies[i].abbreviation});
  }
  return out;
}

SplitEvaluation evaluate_predictions(std::span<const Prediction> rows,
                                     const EvaluationOptions& options) {
  Scored s = score(rows, options);
  return {std::move(s.strategy),
          s.intervals,
          value_report(rows, options.gamma),
          ranking_report(rows, options.bootstrap),
          {}};
}

std::vector<BaselineEvaluation> baseline_reports(std::span<const Prediction> fit,
                                                 std::span<const Prediction> rows,
                                                 const EvaluationOptions& options) {
  std::vector<BaselineEvaluation> out;
  for (const Baseline baseline : kBaselines) {
    if (baseline == Baseline::markov1 && fit.empty()) continue;
    const auto predicted =
        baseline_predictions(baseline, fit, rows, {options.strategy.strategies, options.question});
    Scored s = score(predicted, options);
    out.push_back({to_word(baseline), std::move(s.strategy), s.intervals});
  }
  return out;
}

void StrategyLabel::fields(JsonFields& f) {
  f("name", name);
  f.maybe("abbreviation", abbreviation);
}

void SplitEvaluation::fields(JsonFields& f) {
  f("strategy", strategy);
  f("intervals", intervals);
  f("value", value);
  f("ranking", ranking);
  f("foresight", foresight);
}

void BaselineEvaluation::fields(JsonFields& f) {
  strategy.fields(f);
  f("intervals", intervals);
}

void Evaluation::fields(JsonFields& f) {
  f.format(kFormat, "evaluate the run again with this version, or report with the newer one",
           /*needed=*/true, kOldestFormat);
  f.maybe("strategies", strategies);
  if (strategies.size() > kMostStrategies) {
    f.fail("strategies", "names more than " + std::to_string(kMostStrategies));
  }
  f("splits", splits);
  // Each baseline under its name.
  using Named = std::vector<std::pair<std::string, BaselineEvaluation>>;
  std::vector<std::pair<std::string, Named>> named;
  for (const auto& [split, list] : baselines) {
    named.emplace_back(split, Named());
    for (const auto& b : list) named.back().second.emplace_back(b.name, b);
  }
  f.maybe("baselines", named);
  if (f.writing()) return;
  for (auto& [split, list] : named) {
    auto& out = baselines.emplace_back(split, std::vector<BaselineEvaluation>()).second;
    for (auto& [name, b] : list) {
      out.push_back(std::move(b));
      out.back().name = name;
    }
  }
  for (const auto& [split, e] : splits) {
    const auto counted = static_cast<std::size_t>(e.strategy.strategies());
    if (strategies.empty() || strategies.size() == counted) continue;
    f.place()
        .below("splits." + split)
        .fail("\"strategy\" counts " + std::to_string(counted) + " strategies, the file names " +
              std::to_string(strategies.size()));
  }
}

ordered_json Evaluation::to_json() const {
  return write_json(*this);
}

}  // namespace straq::metrics
