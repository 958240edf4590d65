#include "dialogue/data_config.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "dialogue/plan/corpus_plan.h"
#include "dialogue/turns.h"

namespace straq::dialogue {
namespace fs = std::filesystem;
namespace {

// A corpus's file by its name, packed or not.
bool has_known_ending(const fs::path& path) {
  constexpr std::array kEndings = {".txt", ".json", ".jsonl", ".csv"};
  const std::string end = path.extension().string();
  if (end == ".gz" || end == ".zst") return has_known_ending(path.stem());
  return std::find(kEndings.begin(), kEndings.end(), end) != kEndings.end();
}

std::vector<std::string> files_of_folder(const std::string& key, const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (entry.is_regular_file() && path.filename().string().front() != '.' &&
        has_known_ending(path)) {
      out.push_back(path.string());
    }
  }
  if (out.empty()) {
    fail_input(
        key + ": the folder " + folder + " holds no corpus file",
        "files of a folder end in .txt, .json, .jsonl or .csv, and then perhaps .gz or .zst");
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> files_of_pattern(const std::string& key, const std::string& pattern) {
  glob_t found{};
  const int code = ::glob(pattern.c_str(), 0, nullptr, &found);  // in the order of their names
  std::vector<std::string> out(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (code != 0 || out.empty()) {
    fail_input(key + ": no file matches " + pattern,
               "relative patterns start at the current folder");
  }
  return out;
}

// The corpus of a planned split, with its dialogues out of all that were read.
Split split_of(const DataConfig& config, const CorpusPlan& plan, const PlannedSplit& planned,
               std::vector<Dialogue>& all) {
  Split split;
  split.name = planned.name;
  split.owned = planned.owned;
  split.corpus.name = config.name;
  split.corpus.sha256 = planned.sha256;
  for (const auto f : planned.files) split.corpus.sources.push_back(plan.files[f].source);
  for (std::size_t i = 0; i < planned.members.size(); ++i) {
    Dialogue& d = all[planned.members[i]];
    split.episodes.push_back(restrict_to(make_episode(config, d), planned.owned.empty()
                                                                      ? std::vector<std::uint8_t>{}
                                                                      : planned.owned[i]));
    // By sample a dialogue stands in several splits.
    split.corpus.dialogues.push_back(planned.owned.empty() ? std::move(d) : d);
  }
  return split;
}

}  // namespace

std::vector<std::string> Paths::files(const std::string& key) const {
  std::vector<std::string> out;
  for (const std::string& path : all) {
    std::error_code ec;
    std::vector<std::string> some = {path};
    if (fs::is_directory(path, ec)) {
      some = files_of_folder(key, path);
    } else if (path.find_first_of("*?[") != path.npos && !fs::exists(path, ec)) {
      some = files_of_pattern(key, path);
    }
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

void Paths::field(config::Fields& f, const std::string& key, bool as_list) {
  config::Value value;
  if (!f.reading()) {
    value = config::Value::make_list();
    for (const auto& path : all) {
      value.list.push_back(config::from_json(path));
    }
    if (!as_list && all.size() < 2) {
      value = config::from_json(all.empty() ? "" : all[0]);
    }
    f.raw(key, value);
    return;
  }
  constexpr const char* kUntouched = "untouched";
  value.nulled = kUntouched;
  f.raw(key, value);
  if (value.kind == config::Value::Kind::null) {
    if (value.nulled != kUntouched) all.clear();  // written as nothing: no such split
    return;
  }
  const auto text_of = [&](const config::Value& v) {
    if (v.kind != config::Value::Kind::scalar) {
      fail_input(f.where(key) + ": expected a path or a list of paths",
                 "a path may be a file, a folder or a pattern, as in data/part-*.jsonl");
    }
    return v.scalar;
  };
  if (value.kind != config::Value::Kind::list) {
    *this = Paths(text_of(value));
    return;
  }
  all.clear();
  for (const auto& v : value.list) all.push_back(text_of(v));
}

void DataConfig::fields(config::Fields& f) {
  f("name", name);
  f.choice("format", format, kFormats);
  f.choice("split", split,
           {{"official", SplitMode::official},
            {"ratio", SplitMode::ratio},
            {"sample_level", SplitMode::sample_level}});
  train.field(f, "train");
  valid.field(f, "valid");
  test.field(f, "test");
  source.field(f, "source", /*as_list=*/true);
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
  std::vector<Dialogue> all;
  const CorpusPlan plan =
      plan_corpus(config, strategies, [&](Dialogue&& d) { all.push_back(std::move(d)); });
  Splits out{strategies, {}};
  for (const PlannedSplit& split : plan.splits) {
    out.splits.push_back(split_of(config, plan, split, all));
    log::debug("data", "{} {}: {} dialogues, {} decisions", config.name, split.name,
               split.members.size(), split.decisions);
  }
  join_outcomes(config, out);
  return out;
}

Episode make_episode(const DataConfig& config, const Dialogue& dialogue) {
  return build_episode(dialogue, config.merge(), /*unlabelled=*/false,
                       /*openings=*/config.unit == DecisionUnit::utterance);
}

}  // namespace straq::dialogue
