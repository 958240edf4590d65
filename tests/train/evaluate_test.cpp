#include "train/evaluate.h"

#include <gtest/gtest.h>

#include <set>

#include "metrics/baselines.h"
#include "metrics/evaluation.h"
#include "results/rows/evaluation.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"

namespace straq::train {
namespace {

// The decisions of `comb` that `keep` is true for, as a split that is cut by decisions has them.
template <class F>
prompt::Comb dealt(const prompt::Comb& comb, F&& keep) {
  prompt::Comb out = comb;
  out.probes.clear();
  out.decisions.clear();
  for (std::size_t i = 0; i < comb.decisions.size(); ++i) {
    if (!keep(static_cast<int>(i))) continue;
    out.probes.push_back(comb.probes[i]);
    out.decisions.push_back(comb.decisions[i]);
  }
  if (!out.decisions.empty()) out.decisions.back().terminal = true;
  return out;
}

std::vector<prompt::Comb> dialogues(int count, int stride = 2) {
  auto combs = learn::testing::random_combs(count, 3);
  for (auto& comb : combs) {
    for (std::size_t i = 0; i < comb.decisions.size(); ++i) {
      comb.decisions[i].turn = 1 + static_cast<int>(i) * stride;
      comb.decisions[i].previous = i == 0 ? -1 : comb.decisions[i - 1].gold;
    }
  }
  return combs;
}

std::int64_t pairs(const std::vector<metrics::Prediction>& rows) {
  std::int64_t n = 0;
  for (const auto& row : metrics::strategy_report(rows, {}).gold_transition) {
    for (const auto count : row) n += count;
  }
  return n;
}

// Decision i of each dialogue goes to train, valid or test.
int split_of(int i) {
  return i % 5 == 3 ? 1 : i % 7 == 2 ? 2 : 0;
}

shard::DatasetView dealt_out(const std::vector<prompt::Comb>& combs) {
  shard::DatasetView data;
  const char* const names[] = {"train", "valid", "test"};
  for (int s = 0; s < 3; ++s) {
    data.splits.emplace_back(names[s], std::vector<prompt::Comb>());
    for (const auto& comb : combs) {
      auto part = dealt(comb, [&](int i) { return split_of(i) == s; });
      if (!part.decisions.empty()) data.splits.back().second.push_back(std::move(part));
    }
  }
  return data;
}

// Where single decisions are dealt among the splits, those that come one after the other in a split
// need not be neighbours in their dialogue.
TEST(RowsOf, OnlyNeighboursInTheDialogueAreATransition) {
  for (const auto merge : {dialogue::MergeLabel::first, dialogue::MergeLabel::none}) {
    // Unmerged turns lie at any distance.
    const auto combs = dialogues(40, merge == dialogue::MergeLabel::none ? 3 : 2);
    const auto data = dealt_out(combs);
    dialogue::DataConfig config;
    config.split = dialogue::SplitMode::sample_level;
    config.merge_label = merge;
    for (int s = 0; s < 3; ++s) {
      std::int64_t real = 0, after = 0;
      for (const auto& comb : combs) {
        const auto n = static_cast<int>(comb.decisions.size());
        for (int i = 0; i + 1 < n; ++i) real += split_of(i) == s && split_of(i + 1) == s;
        int here = 0;
        for (int i = 0; i < n; ++i) here += split_of(i) == s;
        after += std::max(0, here - 1);
      }
      const auto& split = data.splits[static_cast<std::size_t>(s)].second;
      const auto rows = rows_of(split, data, config);
      EXPECT_EQ(pairs(rows), real) << data.splits[static_cast<std::size_t>(s)].first;
      EXPECT_EQ(pairs(rows_of(split)), after);
      if (s != 2) {
        EXPECT_LT(real, after) << "the cut must separate some";
      }
      for (const auto& row : rows) {
        EXPECT_EQ(row.index, (row.turn - 1) / (merge == dialogue::MergeLabel::none ? 3 : 2));
        EXPECT_LT(row.index, row.of);
      }
    }
  }
}

// data.limit may leave the decision between two of a split in no split at all.
TEST(RowsOf, ADecisionThatNoSplitHasStillSeparates) {
  const auto combs = dialogues(40);
  auto data = dealt_out(combs);
  data.splits[0].second.resize(5);
  data.splits.pop_back();
  dialogue::DataConfig config;
  config.split = dialogue::SplitMode::sample_level;
  const auto rows = rows_of(data.splits[1].second, data, config);
  EXPECT_GT(rows.size(), 20u);
  std::set<std::string> several;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].dialogue == rows[i - 1].dialogue) several.insert(rows[i].dialogue);
    EXPECT_LT(rows[i].index, rows[i].of);
  }
  EXPECT_FALSE(several.empty());
  EXPECT_EQ(pairs(rows), 0) << "no two decisions of valid are neighbours";
}

TEST(RowsOf, SplitsOfWholeDialoguesKeepTheirNumbers) {
  const auto combs = dialogues(10, 5);
  shard::DatasetView data;
  data.splits.emplace_back("test", combs);
  const auto plain = rows_of(combs), asked = rows_of(combs, data, {});
  ASSERT_EQ(asked.size(), plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(asked[i].index, plain[i].index);
    EXPECT_EQ(asked[i].of, plain[i].of);
  }
}

// Markov-1 may know what the planner knows: train, of train itself too; of test also valid.
TEST(EvaluateSplits, TheMarkovBaselineIsFittedOnWhatThePlannerKnows) {
  shard::DatasetView data;
  const auto all = dialogues(60);
  const auto part = [&](int from, int to) {
    return std::vector<prompt::Comb>(all.begin() + from, all.begin() + to);
  };
  data.splits = {{"train", part(0, 30)}, {"valid", part(30, 45)}, {"test", part(45, 60)}};
  data.manifest.option_ids = {3, 5, 7, 11, 13, 17, 19, 23};
  experiment::ExperimentConfig config;
  config.evaluate.replicates = 100;
  config.data.strategies = straq::testing::source_path("configs/strategies/esconv.yaml");
  const auto group = comm::make_local_collectives();
  learn::Learner learner(learn::testing::random_model(), data.splits[0].second,
                         learn::testing::kOptions, planner::Readout::mean_logit,
                         learn::testing::plain_config(), *group);
  straq::testing::TemporaryFolder folder;
  const results::RunFolder run(folder.path());
  evaluate_splits(learner.reading(), data, config, {"train", "valid", "test"}, run, *group);
  const auto evaluation = results::read_evaluation(run.file("evaluation.json"));
  const auto expect = [&](std::size_t split, const std::vector<std::size_t>& known) {
    std::vector<metrics::Prediction> fit;
    for (const auto s : known) {
      const auto more = rows_of(data.splits[s].second);
      fit.insert(fit.end(), more.begin(), more.end());
    }
    const auto rows = rows_of(data.splits[split].second);
    const auto wanted = metrics::strategy_report(
        metrics::baseline_predictions(metrics::Baseline::markov1, fit, rows), {});
    for (const auto& [name, reports] : evaluation.baselines) {
      if (name != data.splits[split].first) continue;
      ASSERT_EQ(reports.size(), 3u);
      EXPECT_EQ(reports[2].strategy.acc, wanted.acc) << name;
      EXPECT_EQ(reports[2].strategy.confusion, wanted.confusion) << name;
    }
  };
  expect(0, {0});
  expect(1, {0});
  expect(2, {0, 1});
}

}  // namespace
}  // namespace straq::train
