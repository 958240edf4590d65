// A setting that somebody wrote and that nothing reads is told: for every key of an experiment it
// is known under which others it matters.
#include "experiment/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/files/files.h"
#include "experiment/experiment.h"
#include "learn/rewards/registry.h"
#include "tests/testing.h"

namespace straq::experiment {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

std::vector<IdleSetting> idle(const std::string& text, SettingsContext context = {}) {
  return idle_settings(config::parse_yaml("name: x\n" + text, "s.yaml"), context);
}

bool tells(const std::vector<IdleSetting>& found, const std::string& key) {
  return std::any_of(found.begin(), found.end(), [&](const auto& s) { return s.key == key; });
}

void keys_of(const config::Value& v, const std::string& path, std::set<std::string>& out) {
  if (v.kind == config::Value::Kind::map && !v.map.empty()) {
    for (const auto& [key, x] : v.map) keys_of(x, path.empty() ? key : path + "." + key, out);
  } else {
    out.insert(path);
  }
}

// Every key that an experiment's config can have: a dumped one has those of its own reward alone.
std::set<std::string> all_keys() {
  ExperimentConfig config;
  config.tokenizer.train.emplace();
  std::set<std::string> out;
  for (const auto& reward : learn::registered_rewards()) {
    config.learn.reward.choose(reward->facts().kind);
    keys_of(config::dump(config), {}, out);
  }
  return out;
}

bool covers(const std::string& rule, const std::string& key) {
  return rule.back() == '.' ? key.rfind(rule, 0) == 0 : key == rule;
}

struct Example {
  const char* key;
  const char* value;
  const char* without;  // the config in which it changes nothing
  const char* with;     // and one in which it counts
  int world = 0;
};

const char* const kPlannerCe = "learn.planner=ce";
const char* const kReplies = "responder.method=straq";
const char* const kBellman = "learn.objective.bellman=1";
// One for each rule: `--set` assignments, separated by blanks.
const Example kExamples[] = {
    {"simulate.folder", "c", "", "simulate.config=s.yaml"},
    {"data.train", "a", "data.split=ratio", "data.split=official"},
    {"data.valid", "a", "data.split=ratio", ""},
    {"data.test", "a", "data.split=sample_level", ""},
    {"data.source", "[a]", "", "data.split=ratio"},
    {"data.ratios.train", "0.5", "", "data.split=ratio"},
    {"data.split_seed", "5", "data.split=official", "data.split=sample_level"},
    {"shards.megabytes", "2", "shards.dialogues_per_shard=8", ""},
    {"tokenizer.train.split", "gpt2", "tokenizer.train.kind=sentencepiece",
     "tokenizer.train.kind=byte_bpe"},
    {"tokenizer.train.min_frequency", "3", "tokenizer.train.kind=sentencepiece", ""},
    {"tokenizer.train.model", "unigram", "", "tokenizer.train.kind=sentencepiece"},
    {"tokenizer.train.dummy_prefix", "false", "", "tokenizer.train.kind=sentencepiece"},
    {"tokenizer.train.split_digits", "false", "", "tokenizer.train.kind=sentencepiece"},
    {"tokenizer.train.character_coverage", "0.99", "", "tokenizer.train.kind=sentencepiece"},
    {"tokenizer.train.threads", "2", "", "tokenizer.train.kind=sentencepiece"},
    {"model.shape", "s.yaml", "model.from=m", ""},
    {"model.lora.alpha", "8", "model.lora.rank=0", "model.lora.rank=2"},
    {"model.lora.targets", "[q_proj]", "", "model.lora.rank=2"},
    {"model.keep_layers", "2", "", "model.from=m"},
    {"model.init_std", "0.1", "model.from=m", ""},
    {"q.head_width", "4", "q.readout=mean_logit", "q.readout=state_head"},
    {"learn.freeze.store", "bf16", "", "learn.freeze.layers=1"},
    {"pretrain.epochs", "2", "pretrain.steps=5 pretrain.objective.lm=1", "pretrain.objective.lm=1"},
    {"pretrain.objective.lm", "1", "", "pretrain.epochs=1"},
    {"pretrain.lr", "0.1", "pretrain.epochs=0", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.lr_min", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.warmup", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.beta1", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.beta2", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.eps", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.weight_decay", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"pretrain.clip", "0.1", "", "pretrain.steps=1 pretrain.objective.ce=1"},
    {"learn.epochs", "3", "learn.steps=9", "learn.steps=0"},
    {"learn.objective.bellman", "2", kPlannerCe, ""},
    {"learn.gamma", "0.5", kPlannerCe, ""},
    {"learn.backup", "double", "learn.gamma=0", kBellman},
    {"learn.backup_temp", "2", "learn.backup=max", "learn.backup=expected"},
    {"learn.backup_temp", "2", "learn.backup=double", "learn.backup=soft"},
    {"learn.target.polyak", "0.01", "learn.gamma=0", kBellman},
    {"learn.target.every", "5", "learn.target.polyak=0.01", kBellman},
    {"learn.terminal", "drop", "learn.objective.bellman=0 learn.objective.ce=1", kBellman},
    {"learn.loss", "huber", kPlannerCe, kBellman},
    {"learn.loss", "two_hot", "q.readout=mean_logit", "q.readout=state_head q.head_bins=11"},
    {"q.head_bins", "11", "q.readout=mean_logit", "q.readout=state_head"},
    {"q.head_most", "2", "q.readout=state_head", "q.readout=state_head q.head_bins=11"},
    {"learn.huber_delta", "2", "learn.loss=mse", "learn.loss=huber"},
    {"learn.target.every", "5", "learn.gamma=0", kBellman},
    {"learn.neg.ratio", "2", kPlannerCe, kBellman},
    {"learn.neg.reward", "-2", "learn.neg.ratio=0", kBellman},
    {"learn.neg.next", "terminal", "learn.neg.ratio=0", kBellman},
    {"learn.neg.resample", "fixed", "learn.neg.ratio=0", kBellman},
    {"learn.neg.exclude_expert", "false", "learn.neg.ratio=0", kBellman},
    {"learn.neg.prior_power", "1", "learn.neg.ratio=0", kBellman},
    {"data.merge_label", "last", "data.unit=utterance", "data.unit=turn"},
    {"data.judgements", "j.jsonl", "learn.reward.kind=feedback", "learn.reward.kind=distill"},
    {"learn.reward.map", "zscore", "", "learn.reward.kind=distill"},
    {"learn.distill.missing", "mean", "learn.reward.kind=feedback", "learn.reward.kind=distill"},
    {"learn.feedback.centre", "false", "", "learn.reward.kind=feedback"},
    {"learn.feedback.unrated", "drop", "learn.reward.kind=feedback learn.planner=ce",
     "learn.reward.kind=feedback"},
    {"learn.relief.scale", "2", "", "learn.reward.kind=relief"},
    {"learn.reward.expert", "2", "learn.objective.bellman=0 learn.objective.lm=1", kBellman},
    {"learn.recorded.largest_return", "5", "learn.reward.kind=imitation",
     "learn.reward.kind=recorded"},
    {"learn.cql.alpha", "1", kPlannerCe, kBellman},
    {"learn.kl_to_base", "0.1", kPlannerCe, kBellman},
    {"learn.above_base", "0.1", kPlannerCe, kBellman},
    {"learn.above_base", "0.1", "q.readout=vocab_prob", "q.readout=mean_logit"},
    {"learn.dueling", "true", kPlannerCe, "learn.above_base=0.2"},
    {"learn.dueling", "true", "learn.above_base=0", "learn.above_base=0.2"},
    {"learn.above_base", "0.1", "q.readout=state_head q.head_bins=11 learn.loss=two_hot",
     "q.readout=state_head"},
    {"learn.cql.temp", "2", "learn.cql.alpha=0", "learn.cql.alpha=1"},
    {"learn.collectives.timeout_seconds", "60", "learn.collectives.backend=mpi", nullptr},
    {"learn.collectives.deterministic", "true", "learn.collectives.backend=local", nullptr},
    {"learn.collectives.bucket_mb", "4", "", nullptr, 1},
    {"learn.zero1", "true", "", nullptr, 1},
    {"checkpoint.keep_last", "3", "checkpoint.every_minutes=0", ""},
    {"checkpoint.async", "false", "checkpoint.every_minutes=0", "checkpoint.every_steps=5"},
    {"checkpoint.keep_every", "100", "", "checkpoint.every_steps=50"},
    {"evaluate.replicates", "500", "evaluate.splits=[]", ""},
    {"evaluate.every_epochs", "1", "evaluate.every_steps=5", ""},
    {"evaluate.split", "test", "", "evaluate.every_steps=5"},
    {"best.metric", "acc", "", "evaluate.every_epochs=1"},
    {"best.mode", "max", "evaluate.every_steps=0", "evaluate.every_epochs=1"},
    {"gen.max_new_tokens", "5", "", nullptr},
    {"prompt.layout", "paper", kReplies, ""},
    {"q.readout", "vocab_prob", kReplies, ""},
    {"learn.objective.ce", "1", kReplies, ""},
    {"learn.planner", "ce", kReplies, ""},
    {"learn.positions", "last", kReplies, ""},
    {"evaluate.replicates", "500", kReplies, ""},
    {"evaluate.play", "0", kReplies, ""},
    {"best.metric", "acc", "evaluate.every_steps=5 responder.method=straq",
     "evaluate.every_steps=5"},
    {"best.mode", "max", "evaluate.every_steps=5 responder.method=straq", "evaluate.every_steps=5"},
    {"responder.wordings", "w", "", kReplies},
    {"responder.context.emotion", "false", "", kReplies},
    {"roles.learners", "3", "", nullptr, 1},
};

// "a=1 b=2" and the example's own key.
config::Value written(const Example& e, const std::string& more) {
  config::Value root = config::parse_yaml("name: x", "s.yaml");
  std::istringstream words(more);
  for (std::string word; words >> word;) config::apply_set(root, word);
  config::apply_set(root, std::string(e.key) + "=" + e.value);
  return root;
}

TEST(Settings, EveryKeyIsKnownToMatterAlwaysOrUnderAnother) {
  for (const auto& key : all_keys()) {
    int always = 0, under = 0;
    for (const auto& rule : always_effective()) always += covers(rule, key);
    for (const auto& rule : conditional_settings()) under += covers(rule, key);
    EXPECT_GT(always + under, 0) << key << " is not in the table of settings";
    EXPECT_FALSE(always > 0 && under > 0) << key << " is in both";
  }
}

TEST(Settings, TheTableSpeaksOfKeysThatThereAre) {
  const auto keys = all_keys();
  auto rules = conditional_settings();
  for (const auto& r : always_effective()) rules.push_back(r);
  for (const auto& rule : rules) {
    EXPECT_TRUE(std::any_of(keys.begin(), keys.end(), [&](const auto& k) {
      return covers(rule, k);
    })) << rule;
  }
}

TEST(Settings, EveryRuleHasAnExample) {
  for (const auto& rule : conditional_settings()) {
    EXPECT_TRUE(std::any_of(std::begin(kExamples), std::end(kExamples), [&](const Example& e) {
      return covers(rule, e.key);
    })) << rule;
  }
}

TEST(Settings, WhatChangesNothingIsToldAndWhatCountsIsNot) {
  for (const Example& e : kExamples) {
    SettingsContext context;
    context.world = e.world;
    const auto found = idle_settings(written(e, e.without), context);
    const auto at =
        std::find_if(found.begin(), found.end(), [&](const auto& s) { return s.key == e.key; });
    ASSERT_NE(at, found.end()) << e.key << " with " << e.without;
    EXPECT_NE(at->where.find(e.key), std::string::npos) << at->where;
    EXPECT_FALSE(at->why.empty());
    EXPECT_FALSE(at->needs.empty());
    if (e.with == nullptr) continue;
    EXPECT_FALSE(tells(idle_settings(written(e, e.with), context), e.key))
        << e.key << " with " << e.with;
  }
}

TEST(Settings, DefaultsAreNobodysMistake) {
  EXPECT_TRUE(idle("").empty());
  EXPECT_TRUE(idle("learn: {planner: ce}\n").empty());
  ExperimentConfig all;
  all.name = "x";
  all.learn.planner = learn::PlannerKind::ce;
  config::Value recorded = config::dump(all);
  std::erase_if(recorded.map, [](const auto& kv) { return kv.first == "sweep"; });
  SettingsContext context;
  context.recorded = true;
  EXPECT_TRUE(idle_settings(recorded, context).empty());
  config::apply_set(recorded, "learn.cql.alpha=1");
  EXPECT_EQ(idle_settings(recorded, context).size(), 1u);
}

TEST(Settings, FilesBasesAndTheCommandLineAreTold) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("b.yaml"), "name: x\nlearn: {gamma: 0.5}\n");
  write_file_atomic(folder.path("c.yaml"),
                    "base: b.yaml\nlearn:\n  planner: ce\n  backup: sarsa\n");
  const auto root = config::load_config(folder.path("c.yaml"), {"learn.cql.alpha=1"});
  const auto found = idle_settings(root, {});
  ASSERT_EQ(found.size(), 3u);
  std::set<std::string> places;
  for (const auto& s : found) places.insert(s.where);
  EXPECT_EQ(places,
            (std::set<std::string>{folder.path("b.yaml") + ":2", folder.path("c.yaml") + ":4",
                                   "--set learn.cql.alpha=1"}));
  EXPECT_NO_THROW(check_settings(root, {}));
}

TEST(Settings, AStageWithoutLengthIsRefused) {
  const auto root =
      config::parse_yaml("name: x\npretrain: {objective: {lm: 1}, lr: 0.1}\n", "s.yaml");
  const auto e = error_of([&] { check_settings(root, {}); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->exit_code(), 2);
  EXPECT_NE(std::string(e->what()).find("s.yaml:2: pretrain."), std::string::npos) << e->what();
  EXPECT_NO_THROW(check_settings(
      config::parse_yaml("name: x\npretrain: {objective: {lm: 1}, epochs: 0}\n", "s"), {}));
}

TEST(Settings, ASweepIsToldWhatNoneOfItsPointsReads) {
  EXPECT_FALSE(
      tells(idle("learn: {gamma: 0.5}\nsweep: {grid: {learn.planner: [q, ce]}}\n"), "learn.gamma"));
  EXPECT_TRUE(tells(idle("learn: {cql: {temp: 2}}\nsweep: {grid: {learn.planner: [q, ce]}}\n"),
                    "learn.cql.temp"));
  // Points that cannot differ are no sweep.
  const auto root = config::parse_yaml(
      "name: x\nlearn: {planner: ce}\nsweep:\n  grid:\n    learn.gamma: [0, 0.5]\n", "s.yaml");
  const auto e = error_of([&] { check_settings(root, {}); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("s.yaml:5: learn.gamma"), std::string::npos) << e->what();
  SettingsContext alone;
  alone.world = 1;
  EXPECT_NO_THROW(check_settings(
      config::parse_yaml("name: x\nsweep: {grid: {learn.zero1: [true, false]}}\n", "s"), alone));
}

TEST(Settings, ASeedBesideSeedsIsTold) {
  EXPECT_TRUE(tells(idle("seed: 3\nsweep: {seeds: [1, 2]}\n"), "seed"));
  config::Value root = config::parse_yaml("name: x\nsweep: {seeds: [1]}\n", "s.yaml");
  config::apply_set(root, "seed=7");
  EXPECT_TRUE(tells(idle_settings(root, {}), "seed"));
  EXPECT_FALSE(tells(idle("seed: 3\nsweep: {grid: {learn.gamma: [0, 1]}}\n"), "seed"));
}

TEST(Settings, TheShippedConfigsWriteNothingInVain) {
  const auto old = std::filesystem::current_path();
  std::filesystem::current_path(straq::testing::source_path(""));
  for (const char* folder : {"configs", "configs/sweeps", "bench"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string path = entry.path().string();
      if (entry.path().extension() != ".yaml" || entry.path().stem() == "paper_reference") continue;
      // Of `straq respond` and `straq judge`: no experiments.
      if (config::load_yaml(path).find("corpora") != nullptr) continue;
      for (const int world : {0, 1, 4}) {
        SettingsContext context;
        context.world = world;
        const auto root = config::load_config(path);
        for (const auto& s : idle_settings(root, context)) {
          EXPECT_TRUE(world == 1 && s.key == "learn.zero1")
              << path << ": " << s.key << ": " << s.why;
        }
        EXPECT_NO_THROW(check_settings(root, context)) << path;
      }
    }
  }
  std::filesystem::current_path(old);
}

}  // namespace
}  // namespace straq::experiment
