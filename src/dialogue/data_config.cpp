#include "dialogue/data_config.h"

#include "core/error.h"
#include "core/log.h"
#include "dialogue/turns.h"

namespace straq::dialogue {
namespace {

void keep_first(std::vector<Dialogue>& dialogues, std::int64_t limit) {
  if (limit > 0 && dialogues.size() > static_cast<std::size_t>(limit)) {
    dialogues.resize(static_cast<std::size_t>(limit));
  }
}

std::vector<Episode> episodes_of(const std::vector<Dialogue>& dialogues, const DataConfig& config) {
  return build_episodes(dialogues, config.merge(), /*unlabelled=*/false,
                        /*openings=*/config.unit == DecisionUnit::utterance);
}

// The corpus with the dialogues of a plan.
Corpus select(const Corpus& all, const SplitPlan& plan) {
  Corpus out;
  out.name = all.name;
  out.sources = all.sources;
  out.sha256 = all.sha256;
  for (const SplitMember& m : plan.members) out.dialogues.push_back(all.dialogues[m.dialogue]);
  return out;
}

Splits load_official(const DataConfig& config, const StrategySet& strategies) {
  Splits out{strategies, {}};
  const std::pair<const char*, const std::string*> files[] = {
      {"train", &config.train}, {"valid", &config.valid}, {"test", &config.test}};
  for (const auto& [name, path] : files) {
    if (path->empty()) continue;
    Split split;
    split.name = name;
    split.corpus = read_corpus(*path, config.format, strategies);
    split.corpus.name = config.name;
    keep_first(split.corpus.dialogues, config.limit);
    split.episodes = episodes_of(split.corpus.dialogues, config);
    out.splits.push_back(std::move(split));
  }
  if (out.splits.empty()) {
    fail_input("data: split official needs the file of at least one split",
               "set data.train, data.valid or data.test, or use split: ratio with data.source");
  }
  return out;
}

Splits load_drawn(const DataConfig& config, const StrategySet& strategies) {
  if (config.source.empty()) {
    fail_input("data: splits ratio and sample_level need the files to cut in data.source",
               "set data.source: [file, …], or use split: official with data.train, data.valid and "
               "data.test");
  }
  Corpus all = read_corpora(config.source, config.format, strategies);
  all.name = config.name;

  const Shares shares = {
      {"train", config.ratios.train}, {"valid", config.ratios.valid}, {"test", config.ratios.test}};
  const bool by_sample = config.split == SplitMode::sample_level;
  std::vector<Episode> episodes;
  if (by_sample) episodes = episodes_of(all.dialogues, config);
  auto plans = by_sample ? plan_sample_level(episodes, shares, config.split_seed)
                         : plan_ratio(all.dialogues.size(), shares, config.split_seed);
  Splits out{strategies, {}};
  for (SplitPlan& plan : plans) {
    if (plan.members.empty()) continue;
    if (config.limit > 0 && plan.members.size() > static_cast<std::size_t>(config.limit)) {
      plan.members.resize(static_cast<std::size_t>(config.limit));
    }
    Split split;
    split.name = plan.name;
    split.corpus = select(all, plan);
    if (by_sample) {
      for (const SplitMember& m : plan.members) {
        split.episodes.push_back(restrict_to(episodes[m.dialogue], m.owned));
        split.owned.push_back(m.owned);
      }
    } else {
      split.episodes = episodes_of(split.corpus.dialogues, config);
    }
    out.splits.push_back(std::move(split));
  }
  return out;
}

}  // namespace

void DataConfig::fields(config::Fields& f) {
  f("name", name);
  f.choice("format", format, kFormats);
  f.choice("split", split,
           {{"official", SplitMode::official},
            {"ratio", SplitMode::ratio},
            {"sample_level", SplitMode::sample_level}});
  f("train", train);
  f("valid", valid);
  f("test", test);
  f("source", source);
  f("ratios", ratios);
  f("split_seed", split_seed, config::at_least(0));
  f("strategies", strategies);
  f.choice("unit", unit, {{"turn", DecisionUnit::turn}, {"utterance", DecisionUnit::utterance}});
  f.choice("merge_label", merge_label, kMergeLabels);
  f("ratings", ratings);
  f("judgements", judgements);
  f("limit", limit, config::at_least(0));
}

const Split* Splits::find(const std::string& name) const {
  for (const Split& s : splits) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

StrategySet load_strategies(const DataConfig& config) {
  return StrategySet::load(config.strategies);
}

Splits load_splits(const DataConfig& config) {
  return load_splits(config, load_strategies(config));
}

Splits load_splits(const DataConfig& config, const StrategySet& strategies) {
  Splits out = config.split == SplitMode::official ? load_official(config, strategies)
                                                   : load_drawn(config, strategies);
  join_outcomes(config, out);
  for (const Split& s : out.splits) {
    std::size_t decisions = 0;
    for (const Episode& e : s.episodes) decisions += e.decisions.size();
    log::debug("data", "{} {}: {} dialogues, {} decisions", config.name, s.name, s.episodes.size(),
               decisions);
  }
  return out;
}

}  // namespace straq::dialogue
