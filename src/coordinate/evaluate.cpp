#include "coordinate/evaluate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>

#include "core/error.h"
#include "core/files.h"
#include "core/log.h"
#include "dialogue/strategy.h"
#include "metrics/evaluation.h"
#include "metrics/value.h"
#include "model/huggingface.h"

namespace straq::coordinate {

std::vector<metrics::Prediction> rows_of(const std::vector<prompt::Comb>& combs) {
  std::vector<metrics::Prediction> rows;
  for (const auto& comb : combs) {
    const int of = static_cast<int>(comb.decisions.size());
    for (int i = 0; i < of; ++i) {
      const auto& d = comb.decisions[static_cast<std::size_t>(i)];
      metrics::Prediction row;
      row.dialogue = comb.id;
      row.turn = d.turn;
      row.index = i;
      row.of = of;
      row.gold = d.gold;
      row.previous = d.previous;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

namespace {

// Writes Q and the choice (its maximum; none where it is not finite) into the rows.
void choose(std::vector<metrics::Prediction>& rows, const at::Tensor& q) {
  const auto table = q.accessor<float, 2>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto r = table[static_cast<std::int64_t>(i)];
    auto& out = rows[i].q;
    for (std::int64_t a = 0; a < q.size(1); ++a) out.push_back(r[a]);
    const bool finite =
        std::all_of(out.begin(), out.end(), [](double x) { return std::isfinite(x); });
    rows[i].chosen =
        finite ? static_cast<int>(std::max_element(out.begin(), out.end()) - out.begin()) : -1;
  }
}

}  // namespace

double ValidationScores::by(BestMetric metric) const {
  switch (metric) {
    case BestMetric::acc:
      return acc;
    case BestMetric::macro_f1:
      return macro_f1;
    case BestMetric::weighted_f1:
      return weighted_f1;
    case BestMetric::bias:
      return bias;
  }
  return 0;
}

ValidationScores validate(learn::Learner& learner, const shard::DatasetView& data,
                          const std::string& split) {
  const auto& combs = data.split(split);
  auto rows = rows_of(combs);
  choose(rows, learner.evaluate(combs));
  metrics::StrategyOptions options;
  options.strategies = static_cast<int>(data.option_ids().size());
  const auto report = metrics::strategy_report(rows, options);
  return {report.acc, report.q, report.weighted_f1, report.b, report.n};
}

void evaluate_splits(learn::Learner& learner, const shard::DatasetView& data,
                     const ExperimentConfig& config, const std::vector<std::string>& splits,
                     const RunFolder& folder, comm::Collectives& group) {
  const bool leader = group.rank() == 0;
  metrics::Evaluation evaluation;
  metrics::EvaluationOptions options;
  options.bootstrap.replicates = static_cast<int>(config.evaluate.replicates);
  options.gamma = config.learn.gamma;
  const int strategies = static_cast<int>(data.option_ids().size());
  options.strategy.strategies = strategies;
  const auto set = dialogue::StrategySet::load(config.data.strategies);
  evaluation.strategies = metrics::labels_of(set);
  options.question = set.find("Question").value_or(0);

  for (const auto& split : splits) {
    const auto& combs = data.split(split);
    const at::Tensor q = learner.evaluate(combs);
    if (!leader) continue;
    auto rows = rows_of(combs);
    choose(rows, q);
    // Under the imitation reward every step of the corpus's own course earns the expert's reward.
    metrics::fill_returns(rows, config.learn.gamma, [&](const metrics::Prediction&) {
      return std::optional<double>(config.learn.reward.expert);
    });
    metrics::write_predictions(folder.predictions(split), rows);
    auto result = metrics::evaluate_predictions(rows, options);
    log::info("evaluate", "{}: {} decisions, Acc {:.2f}, Q {:.2f}, B {:.3f}", split, rows.size(),
              100 * result.strategy.acc, 100 * result.strategy.q, result.strategy.b);
    // The baselines learn from what a planner may know of a split: everything before it.
    std::vector<metrics::Prediction> fit;
    for (const auto& [name, other] : data.splits) {
      if (name == split || name == "test") continue;
      const auto more = rows_of(other);
      fit.insert(fit.end(), more.begin(), more.end());
    }
    evaluation.splits.emplace_back(split, std::move(result));
    evaluation.baselines.emplace_back(split, metrics::baseline_reports(fit, rows, options));
  }
  if (!leader) return;
  // Splits that were evaluated before and are not asked for now keep their results.
  const std::string file = folder.file("evaluation.json");
  if (std::filesystem::exists(file)) {
    auto before = metrics::read_evaluation(file);
    const auto asked = [&](const auto& entry) {
      return std::find(splits.begin(), splits.end(), entry.first) != splits.end();
    };
    std::erase_if(before.splits, asked);
    std::erase_if(before.baselines, asked);
    std::move(before.splits.begin(), before.splits.end(), std::back_inserter(evaluation.splits));
    std::move(before.baselines.begin(), before.baselines.end(),
              std::back_inserter(evaluation.baselines));
  }
  metrics::write_evaluation(file, evaluation);
}

void save_planner(const model::Llama& model, const shard::DatasetView& data,
                  const ExperimentConfig& config, const std::string& folder) {
  model::SaveOptions options;
  options.metadata["format"] = "pt";
  model::save_huggingface(model, folder, options);
  nlohmann::ordered_json j;
  j["format"] = 1;
  j["readout"] = config::to_json(config::dump(config.q))["readout"];
  j["option_ids"] = data.option_ids();
  j["strategies"] = data.manifest.strategies;
  j["gamma"] = config.learn.gamma;
  j["prompt"] = config::to_json(config::dump(config.prompt));
  j["prompt_fingerprint"] = data.manifest.parts.prompt;
  j["tokenizer_fingerprint"] = data.manifest.parts.tokenizer;
  write_file_atomic(folder + "/planner.json", j.dump(2) + "\n");
}

}  // namespace straq::coordinate
