#include "metrics/metric.h"

#include <algorithm>
#include <stdexcept>

#include "core/json/json_fields.h"
#include "core/tables/table.h"

namespace straq::metrics {
namespace {

using RM = ResponseMetric;

constexpr ShownIn kEverywhere{.main = true, .table9 = true};

constexpr StrategyMetric kStrategyMetrics[] = {
    {{.key = "acc",
      .title = "Acc",
      .sums = SumsOf::choices,
      .rankable = true,
      .shown = kEverywhere},
     &StrategyScores::acc,
     &StrategyIntervals::acc,
     {"Acc", &StrategyReport::recall, &StrategyInterval::recall}},
    {{.key = "macro_f1",
      .title = "macro-F1",
      .sums = SumsOf::choices,
      .rankable = true,
      .shown = kEverywhere,
      .paper = "Q",
      .former = "q"},
     &StrategyScores::macro_f1,
     &StrategyIntervals::macro_f1,
     {"F1", &StrategyReport::f1, &StrategyInterval::f1}},
    {{.key = "weighted_f1", .title = "weighted F1", .sums = SumsOf::choices},
     &StrategyScores::weighted_f1,
     nullptr,
     {}},
    // Not rankable: it looks at wrong choices only, and drawing from the class prior has a low one.
    {{.key = "bias",
      .title = "B",
      .decimals = 3,
      .percent = false,
      .better = Better::lower,
      .sums = SumsOf::choices,
      .shown = kEverywhere,
      .former = "b"},
     &StrategyScores::bias,
     &StrategyIntervals::bias,
     {"B", &StrategyReport::preference, &StrategyInterval::preference, Better::neither}}};

// Dist-n falls with the size of a set and does not add up.
constexpr ReplyMetric kReplyMetrics[] = {
    {{.key = "bleu1", .title = "B-1", .sums = SumsOf::replies}, RM::bleu1},
    {{.key = "bleu2",
      .title = "B-2",
      .sums = SumsOf::replies,
      .rankable = true,
      .shown = {.main = true, .table2 = true, .table9 = true, .subsets = true}},
     RM::bleu2},
    {{.key = "bleu3", .title = "B-3", .sums = SumsOf::replies}, RM::bleu3},
    {{.key = "bleu4", .title = "B-4", .sums = SumsOf::replies}, RM::bleu4},
    {{.key = "sentence_bleu2",
      .title = "sentence B-2",
      .sums = SumsOf::replies,
      .shown = {.pairs = true}},
     RM::sentence_bleu2},
    {{.key = "rouge_l",
      .title = "R-L",
      .sums = SumsOf::replies,
      .rankable = true,
      .shown = {.main = true, .table2 = true, .table9 = true, .subsets = true, .pairs = true}},
     RM::rouge_l},
    {{.key = "dist1", .title = "Dist-1", .shown = {.subsets = true}}, RM::dist1},
    {{.key = "dist2",
      .title = "Dist-2",
      .rankable = true,
      .shown = {.table2 = true, .table9 = true, .subsets = true}},
     RM::dist2},
    {{.key = "dist1_zcj", .title = "Dist-1 (zcj)"}, RM::dist1_zcj},
    {{.key = "dist2_zcj", .title = "Dist-2 (zcj)"}, RM::dist2_zcj},
    {{.key = "cider",
      .title = "CIDEr",
      .sums = SumsOf::replies,
      .rankable = true,
      .shown = {.table2 = true, .table9 = true, .subsets = true, .pairs = true}},
     RM::cider},
    {{.key = "f1",
      .title = "token F1",
      .sums = SumsOf::replies,
      .shown = {.subsets = true, .pairs = true}},
     RM::f1},
    {{.key = "length",
      .title = "length",
      .percent = false,
      .better = Better::neither,
      .sums = SumsOf::replies,
      .shown = {.subsets = true}},
     RM::length},
    {{.key = "reference_length",
      .title = "reference length",
      .percent = false,
      .better = Better::neither,
      .sums = SumsOf::replies},
     RM::reference_length}};
static_assert(std::size(kReplyMetrics) == kResponseMetrics);
static_assert([] {
  for (std::size_t i = 0; i < kResponseMetrics; ++i) {
    if (static_cast<std::size_t>(kReplyMetrics[i].which) != i) return false;
  }
  return true;
}());

constexpr Metric value_entry(const char* key, const char* title) {
  return {.key = key, .title = title, .decimals = 3, .percent = false, .better = Better::neither};
}

constexpr ValueMetric kValueMetrics[] = {
    {value_entry("mean_max_q", "Mean max Q"),
     [](const ValueReport& v) { return std::optional(v.mean_max_q); }, "Mean max Q"},
    {value_entry("mean_chosen_q", "Mean Q chosen"),
     [](const ValueReport& v) { return v.mean_chosen_q; }, "Mean Q chosen"},
    {value_entry("mean_gold_q", "Mean Q gold"),
     [](const ValueReport& v) { return std::optional(v.mean_gold_q); }},
    {value_entry("mean_return", "Mean return"), [](const ValueReport& v) { return v.mean_return; },
     "Mean return"},
    {value_entry("spearman_chosen", "Spearman chosen"),
     [](const ValueReport& v) { return v.spearman_chosen; }, "Spearman Q, return"},
    {value_entry("spearman_gold", "Spearman gold"),
     [](const ValueReport& v) { return v.spearman_gold; }}};

constexpr RankingMetric kRankingMetrics[] = {
    {{.key = "recall_at_3", .title = "R@3"},
     &RankingReport::recall_at_3,
     &RankingReport::recall_at_3_interval},
    {{.key = "mrr", .title = "MRR"}, &RankingReport::mrr, &RankingReport::mrr_interval},
    {{.key = "ndcg", .title = "NDCG"}, &RankingReport::ndcg, &RankingReport::ndcg_interval},
    {{.key = "set_acc", .title = "Acc of set"},
     &RankingReport::set_acc,
     &RankingReport::set_acc_interval}};

constexpr ForesightMetric kForesightMetrics[] = {
    {{.key = "spearman", .title = "Spearman within dialogues", .decimals = 3, .percent = false},
     &ForesightScores::spearman,
     &ForesightScores::spearman_interval},
    {{.key = "auc_within", .title = "AUC within dialogues", .decimals = 3, .percent = false},
     &ForesightScores::auc_within,
     &ForesightScores::auc_within_interval},
    {{.key = "auc", .title = "AUC", .decimals = 3, .percent = false}, &ForesightScores::auc}};

constexpr Metric kReward = {
    .key = "reward", .title = "Reward", .percent = false, .sums = SumsOf::scores, .rankable = true};

}  // namespace

std::span<const StrategyMetric> strategy_metrics() {
  return kStrategyMetrics;
}

std::span<const ReplyMetric> reply_metrics() {
  return kReplyMetrics;
}

std::span<const ValueMetric> value_metrics() {
  return kValueMetrics;
}

std::span<const RankingMetric> ranking_metrics() {
  return kRankingMetrics;
}

std::span<const ForesightMetric> foresight_metrics() {
  return kForesightMetrics;
}

const Metric& reward_metric() {
  return kReward;
}

std::vector<const Metric*> all_metrics() {
  std::vector<const Metric*> out;
  for (const auto& m : kStrategyMetrics) out.push_back(&m);
  for (const auto& m : kReplyMetrics) out.push_back(&m);
  out.push_back(&kReward);
  for (const auto& m : kValueMetrics) out.push_back(&m);
  for (const auto& m : kRankingMetrics) out.push_back(&m);
  for (const auto& m : kForesightMetrics) out.push_back(&m);
  return out;
}

std::vector<const Metric*> metrics_in(bool ShownIn::*place) {
  auto out = all_metrics();
  std::erase_if(out, [&](const Metric* m) { return !(m->shown.*place); });
  return out;
}

std::vector<const StrategyMetric*> shown_strategy_metrics() {
  std::vector<const StrategyMetric*> out;
  for (const auto& m : kStrategyMetrics) {
    if (m.shown.main) out.push_back(&m);
  }
  return out;
}

const Metric* find_metric(std::string_view key) {
  for (const Metric* m : all_metrics()) {
    if (key == m->key) return m;
  }
  return nullptr;
}

const StrategyMetric* find_strategy_metric(std::string_view key) {
  for (const auto& m : kStrategyMetrics) {
    if (key == m.key) return &m;
  }
  return nullptr;
}

const StrategyMetric& strategy_metric(std::string_view key) {
  if (const StrategyMetric* m = find_strategy_metric(key)) return *m;
  throw std::out_of_range("no metric of choices: " + std::string(key));
}

const ReplyMetric& reply_metric(ResponseMetric which) {
  return kReplyMetrics[static_cast<std::size_t>(which)];
}

std::string current_key(const std::string& word) {
  for (const Metric* m : all_metrics()) {
    if (m->former != nullptr && word == m->former) return m->key;
  }
  return word;
}

std::string key_in(const JsonFields& file, const Metric& metric) {
  constexpr int kRenamed = 2;  // the format of evaluation.json that has today's keys
  return metric.former != nullptr && file.before(kRenamed) ? metric.former : metric.key;
}

std::string words_of(const StrategyScores& scores) {
  std::string out;
  for (const auto* m : shown_strategy_metrics()) {
    out += (out.empty() ? "" : ", ") + std::string(m->title) + " " +
           Cell::real(m->scale() * scores.*m->score, m->decimals).text;
  }
  return out;
}

std::string titles_of(const std::vector<const Metric*>& metrics) {
  std::string out;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    out += i == 0 ? "" : i + 1 < metrics.size() ? ", " : " and ";
    out += metrics[i]->title;
  }
  return out;
}

}  // namespace straq::metrics
