#include "train/evaluate.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "comm/fault.h"
#include "core/error.h"
#include "core/log.h"
#include "dialogue/data_config.h"
#include "dialogue/strategy.h"
#include "metrics/evaluation.h"
#include "metrics/metric.h"
#include "metrics/value.h"
#include "model/weights/adapter.h"
#include "model/weights/huggingface.h"
#include "results/rows/evaluation.h"
#include "results/rows/predictions.h"
#include "train/shared_outcome.h"

namespace straq::train {

namespace {

// Decisions of a split that is not in memory which baselines are fitted to: more of them change
// nothing that a table shows.
constexpr std::size_t kStreamedRows = 200'000;

void append_rows(const prompt::Comb& comb, std::vector<metrics::Prediction>& rows) {
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
    row.strategies = static_cast<std::uint32_t>(std::max(d.strategies, 0));
    row.rating = std::max(d.rating, 0);
    rows.push_back(std::move(row));
  }
}

void append_rows(const shard::DatasetView& data, const std::string& split,
                 std::vector<metrics::Prediction>& rows) {
  if (!data.is_streamed(split)) {
    for (const auto& comb : data.split(split)) append_rows(comb, rows);
    return;
  }
  const shard::SplitReader shards = data.reader(split);
  for (std::size_t s = 0; s < shards.shards() && rows.size() < kStreamedRows; ++s) {
    for (const auto& comb : shards.read(s)) append_rows(comb, rows);
  }
}

}  // namespace

std::vector<metrics::Prediction> rows_of(const std::vector<prompt::Comb>& combs) {
  std::vector<metrics::Prediction> rows;
  for (const auto& comb : combs) append_rows(comb, rows);
  return rows;
}

std::vector<metrics::Prediction> rows_of(const std::vector<prompt::Comb>& combs,
                                         const shard::DatasetView& data,
                                         const dialogue::DataConfig& config) {
  auto rows = rows_of(combs);
  if (config.split != dialogue::SplitMode::sample_level) return rows;
  std::map<std::string, std::set<int>> turns;  // of each dialogue's decisions, wherever they are
  for (const auto& [name, split] : data.splits) {
    for (const auto& comb : split) {
      for (const auto& d : comb.decisions) turns[comb.id].insert(d.turn);
    }
  }
  const bool merged = config.merge() != dialogue::MergeLabel::none;
  for (std::size_t i = 0, next = 0; i < rows.size(); i = next) {
    const auto& all = turns.at(rows[i].dialogue);
    int missing = 0;  // decisions that no split has
    for (next = i; next < rows.size() && rows[next].dialogue == rows[i].dialogue; ++next) {
      auto& row = rows[next];
      row.index = missing + static_cast<int>(std::distance(all.begin(), all.find(row.turn)));
      if (next == i || row.index != rows[next - 1].index + 1) continue;
      // Merged turns alternate, so that neighbours are two turns apart; and what the supporter did
      // before is known of every decision.
      const auto& before = rows[next - 1];
      if ((merged && row.turn > before.turn + 2) || row.previous != before.gold) {
        ++missing;
        ++row.index;
      }
    }
    for (std::size_t k = i; k < next; ++k) rows[k].of = static_cast<int>(all.size()) + missing;
  }
  return rows;
}

namespace {

// Q of every decision, computed by the learners together; fails on all of them or on none.
at::Tensor q_of(const planner::Reading& reading, const std::vector<prompt::Comb>& combs,
                comm::Collectives& group, const planner::Pack& pack) {
  at::Tensor q;
  together(group, [&] {
    comm::fault_point("evaluating decisions");
    q = planner::ask(reading, combs, group.rank(), group.size(), pack);
  });
  group.allreduce_sum(q);  // every row was filled by exactly one learner
  return q;
}

planner::Pack pack_for(const planner::PackOfSplit& pack_of, const std::string& split,
                       const std::vector<prompt::Comb>& combs) {
  return pack_of ? pack_of(split, combs) : planner::pack_plainly;
}

// Writes Q and the choice (its maximum; none where it is not finite) into the rows.
void choose(std::vector<metrics::Prediction>& rows, const at::Tensor& q) {
  const auto count = static_cast<std::size_t>(q.size(1));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::span<const float> row(q.const_data_ptr<float>() + i * count, count);
    rows[i].q.assign(row.begin(), row.end());
    rows[i].chosen = planner::choice(row);
  }
}

}  // namespace

ValidationScores validate(const planner::Reading& reading, const shard::DatasetView& data,
                          const std::string& split, comm::Collectives& group,
                          const planner::PackOfSplit& pack_of) {
  const std::vector<prompt::Comb>* combs = nullptr;
  together(group, [&] {
    comm::fault_point("validating");
    combs = &data.split(split);
  });
  const at::Tensor q = q_of(reading, *combs, group, pack_for(pack_of, split, *combs));
  ValidationScores scores;
  together(group, [&] {
    auto rows = rows_of(*combs);
    choose(rows, q);
    metrics::StrategyOptions options;
    options.strategies = static_cast<int>(data.option_ids().size());
    const auto report = metrics::strategy_report(rows, options);
    scores = {report, report.n};
  });
  return scores;
}

namespace {

// The run's reward, as it was trained on: fitted to the train split where the data set has one.
std::unique_ptr<learn::Reward> reward_of(const experiment::ExperimentConfig& config,
                                         const shard::DatasetView& data) {
  if (!data.has("train")) return config.learn.reward->clone();
  return learn::fitted(config.learn.reward.chosen(), data.each("train"));
}

// One split's predictions, scored and written beside `folder`'s others.
void score_split(const std::string& split, const at::Tensor& q, const shard::DatasetView& data,
                 const experiment::ExperimentConfig& config,
                 const metrics::EvaluationOptions& options, const results::RunFolder& folder,
                 metrics::Evaluation& evaluation) {
  auto rows = rows_of(data.split(split), data, config.data);
  choose(rows, q);
  // Returns are those of the corpus's own course; rows are its decisions, in order.
  const auto reward = reward_of(config, data);
  std::vector<std::optional<double>> earned;
  for (const auto& comb : data.split(split)) {
    for (std::size_t d = 0; d < comb.decisions.size(); ++d) {
      earned.push_back(reward->of_own_action(comb, d));
    }
  }
  metrics::fill_returns(rows, config.learn.gamma, [&](const metrics::Prediction& row) {
    return earned[static_cast<std::size_t>(&row - rows.data())];
  });
  results::write_predictions(folder.predictions(split), rows);
  auto result = metrics::evaluate_predictions(rows, options);
  log::info("evaluate", "{}: {} decisions, {}", split, rows.size(),
            metrics::words_of(result.strategy));
  // The baselines learn from what the planner has: train, and before a test also valid.
  std::vector<metrics::Prediction> fit;
  for (const char* name : {"train", "valid"}) {
    const bool known = std::string(name) == "train" || split == "test";
    if (known && data.has(name)) append_rows(data, name, fit);
  }
  const auto needs = reward->needs();
  const bool of_ratings =
      std::find(needs.begin(), needs.end(), learn::Outcome::rating) != needs.end();
  std::function<std::optional<double>(const metrics::Prediction&)> own;
  if (!of_ratings) {
    own = [&](const metrics::Prediction& row) {
      return earned[static_cast<std::size_t>(&row - rows.data())];
    };
  }
  result.foresight = metrics::foresight_report(rows, fit, own, options.bootstrap);
  evaluation.splits.emplace_back(split, std::move(result));
  evaluation.baselines.emplace_back(split, metrics::baseline_reports(fit, rows, options));
}

// Splits that were evaluated before and are not asked for now keep their results.
void keep_others(const std::string& file, const std::vector<std::string>& asked,
                 metrics::Evaluation& evaluation) {
  if (!std::filesystem::exists(file)) return;
  auto before = results::read_evaluation(file);
  const auto again = [&](const auto& entry) {
    return std::find(asked.begin(), asked.end(), entry.first) != asked.end();
  };
  std::erase_if(before.splits, again);
  std::erase_if(before.baselines, again);
  std::move(before.splits.begin(), before.splits.end(), std::back_inserter(evaluation.splits));
  std::move(before.baselines.begin(), before.baselines.end(),
            std::back_inserter(evaluation.baselines));
}

}  // namespace

void evaluate_splits(const planner::Reading& reading, const shard::DatasetView& data,
                     const experiment::ExperimentConfig& config,
                     const std::vector<std::string>& splits, const results::RunFolder& folder,
                     comm::Collectives& group, const planner::PackOfSplit& pack_of) {
  std::vector<const std::vector<prompt::Comb>*> combs;
  together(group, [&] {
    comm::fault_point("evaluating");
    for (const auto& split : splits) {
      combs.push_back(&data.split(split));
      if (data.decision_count(split) == 0) {
        fail_input("evaluate.splits: the split " + split + " has no labelled decision to score",
                   "leave it out of evaluate.splits (or --splits)");
      }
    }
  });
  std::vector<at::Tensor> values;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    values.push_back(q_of(reading, *combs[i], group, pack_for(pack_of, splits[i], *combs[i])));
  }
  together(group, [&] {
    comm::fault_point("writing predictions");
    if (group.rank() != 0) return;
    metrics::EvaluationOptions options;
    options.bootstrap.replicates = static_cast<int>(config.evaluate.replicates);
    options.gamma = config.learn.gamma;
    options.strategy.strategies = static_cast<int>(data.option_ids().size());
    const auto set = dialogue::load_strategies(config.data);
    options.question = set.find("Question").value_or(0);
    metrics::Evaluation evaluation;
    evaluation.strategies = metrics::labels_of(set);
    for (std::size_t i = 0; i < splits.size(); ++i) {
      score_split(splits[i], values[i], data, config, options, folder, evaluation);
    }
    const std::string file = folder.evaluation();
    keep_others(file, splits, evaluation);
    results::write_evaluation(file, evaluation);
  });
}

std::vector<double> shift_of(const planner::QConfig& q, const shard::DatasetView& data) {
  std::vector<std::int64_t> counts(data.option_ids().size());
  // Of a split that is not in memory a pass costs minutes: only where the counts are asked for.
  if (q.prior > 0) {
    data.each("train")([&](const prompt::Comb& comb) {
      for (const auto& d : comb.decisions) {
        if (d.gold >= 0) ++counts[static_cast<std::size_t>(d.gold)];
      }
    });
  }
  return planner::option_shift(q.prior, counts);
}

planner::Companions gather_companions(const experiment::ExperimentConfig& config,
                                      const shard::DatasetView& view, const std::string& tokenizer,
                                      const RunInputs& inputs) {
  const shard::Manifest& data = view.manifest;
  planner::Card card;
  card.q = config.q;
  card.option_shift = shift_of(config.q, view);
  card.gamma = config.learn.gamma;
  card.merge_label = config.data.merge();
  card.strategies = dialogue::load_strategies(config.data).items();
  card.prompt = config.prompt;
  card.inputs_sha256 = inputs.hex();
  auto out = planner::Companions::gather(std::move(card), tokenizer);
  const auto require = [](const std::string& what, bool same) {
    if (same) return;
    fail_input(what + " is not the one that the shards were made with: it has changed since",
               "run straq preprocess again");
  };
  require("tokenizer " + tokenizer, out.card.tokenizer_fingerprint == data.parts.tokenizer);
  require("the prompt of " + config.prompt.template_path + " and " + config.data.strategies,
          out.card.prompt_fingerprint == data.parts.prompt &&
              out.card.option_ids == data.option_ids && config.prompt.window == data.parts.window);
  return out;
}

void save_weights(const model::Llama& model, const std::string& folder, const std::string& base) {
  model::SaveOptions options;
  options.metadata["format"] = "pt";
  model::save_huggingface(model, folder, options);
  const std::string adapter = folder + "/adapter";
  if (model.part().lora.rank > 0) {
    model::write_adapter(model, adapter, base);
  } else {
    std::filesystem::remove_all(adapter);  // of an earlier run in this folder
  }
}

void save_planner(const model::Llama& model, const planner::Companions& companions,
                  const std::string& folder, const std::string& base) {
  save_weights(model, folder, base);
  companions.write(folder);
}

}  // namespace straq::train
