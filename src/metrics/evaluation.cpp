#include "metrics/evaluation.h"

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"

namespace straq::metrics {
namespace {

using nlohmann::ordered_json;
constexpr int kFormat = 1;

ordered_json to_json(const StrategyIntervals& i) {
  const auto pair = [](const std::optional<Interval>& x) {
    return x ? ordered_json::array({x->low, x->high}) : ordered_json(nullptr);
  };
  ordered_json j;
  j["acc"] = pair(i.acc);
  j["q"] = pair(i.q);
  j["b"] = pair(i.b);
  j["level"] = i.level;
  j["replicates"] = i.replicates;
  j["seed"] = i.seed;
  j["dialogues"] = i.clusters;
  return j;
}

StrategyIntervals intervals_from_json(const ordered_json& json, const std::string& where) {
  const JsonFields in(json, where);
  StrategyIntervals out;
  in.get("level", out.level);
  in.get("replicates", out.replicates);
  in.get("seed", out.seed);
  in.get("dialogues", out.clusters);
  const auto take = [&](const char* key, std::optional<Interval>& x) {
    if (in.at(key).is_null()) return;
    std::vector<double> pair;
    in.get(key, pair, 2);
    // Earlier versions wrote an interval of width 0 where there is one dialogue.
    if (out.clusters > 1) x = {pair[0], pair[1]};
  };
  take("acc", out.acc);
  take("q", out.q);
  take("b", out.b);
  return out;
}

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
  return {std::move(s.strategy), s.intervals, value_report(rows, options.gamma)};
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

ordered_json Evaluation::to_json() const {
  ordered_json j;
  j["format"] = kFormat;
  j["strategies"] = ordered_json::array();
  for (const auto& s : strategies) {
    j["strategies"].push_back({{"name", s.name}, {"abbreviation", s.abbreviation}});
  }
  j["splits"] = ordered_json::object();
  for (const auto& [split, e] : splits) {
    ordered_json s;
    s["strategy"] = e.strategy.to_json();
    s["intervals"] = metrics::to_json(e.intervals);
    if (e.value) s["value"] = e.value->to_json();
    j["splits"][split] = std::move(s);
  }
  j["baselines"] = ordered_json::object();
  for (const auto& [split, reports] : baselines) {
    ordered_json b = ordered_json::object();
    for (const auto& report : reports) {
      b[report.name] = report.strategy.to_json();
      b[report.name]["intervals"] = metrics::to_json(report.intervals);
    }
    j["baselines"][split] = std::move(b);
  }
  return j;
}

Evaluation Evaluation::from_json(const ordered_json& json, const std::string& where) {
  const JsonFields in(json, where);
  int format = 0;
  in.get("format", format);
  if (format != kFormat) {
    fail_input(where + ": its format is " + std::to_string(format) + ", this program reads " +
                   std::to_string(kFormat),
               "evaluate the run again with this version, or report with the newer one");
  }
  Evaluation e;
  if (in.has("strategies")) {
    if (!in.at("strategies").is_array()) in.fail("strategies", "must be a list");
    for (const auto& s : in.at("strategies")) {
      const JsonFields label(s, where + ": strategies");
      StrategyLabel l;
      label.get("name", l.name);
      label.get("abbreviation", l.abbreviation);
      e.strategies.push_back(std::move(l));
    }
    if (e.strategies.size() > kMostStrategies) {
      in.fail("strategies", "names more than " + std::to_string(kMostStrategies));
    }
  }
  if (!in.at("splits").is_object()) in.fail("splits", "must be an object");
  for (const auto& [split, s] : in.at("splits").items()) {
    const std::string place = where + ": splits." + split;
    const JsonFields fields(s, place);
    SplitEvaluation out;
    out.strategy = StrategyReport::from_json(fields.at("strategy"), place + ".strategy");
    out.intervals = intervals_from_json(fields.at("intervals"), place + ".intervals");
    if (fields.has("value")) {
      out.value = ValueReport::from_json(fields.at("value"), place + ".value");
    }
    if (!e.strategies.empty() &&
        e.strategies.size() != static_cast<std::size_t>(out.strategy.strategies())) {
      fields.fail("strategy", "counts " + std::to_string(out.strategy.strategies()) +
                                  " strategies, the file names " +
                                  std::to_string(e.strategies.size()));
    }
    e.splits.emplace_back(split, std::move(out));
  }
  if (in.has("baselines")) {
    if (!in.at("baselines").is_object()) in.fail("baselines", "must be an object");
    for (const auto& [split, reports] : in.at("baselines").items()) {
      const std::string place = where + ": baselines." + split;
      if (!reports.is_object()) fail_input(place + ": expected a JSON object");
      std::vector<BaselineEvaluation> list;
      for (const auto& [name, report] : reports.items()) {
        BaselineEvaluation b;
        b.name = name;
        b.strategy = StrategyReport::from_json(report, place + "." + name);
        b.intervals = intervals_from_json(JsonFields(report, place + "." + name).at("intervals"),
                                          place + "." + name + ".intervals");
        list.push_back(std::move(b));
      }
      e.baselines.emplace_back(split, std::move(list));
    }
  }
  return e;
}

Evaluation read_evaluation(const std::string& path) {
  return Evaluation::from_json(
      read_json_of(path, "the file may be half-written: evaluate the run again"), path);
}

void write_evaluation(const std::string& path, const Evaluation& evaluation) {
  write_file_atomic(path, dump_json(evaluation.to_json(), 1) + "\n");
}

}  // namespace straq::metrics
