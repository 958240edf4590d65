// The `data:` section of a config, and the one function that turns it into splits ready for the
// preprocessor: files read, splits cut, turns and decisions built.
//
//   data:
//     name: esconv
//     train: ${STRAQ_DATA:-../shared/data}/esconv/train.txt
//     valid: ${STRAQ_DATA:-../shared/data}/esconv/valid.txt
//     test: ${STRAQ_DATA:-../shared/data}/esconv/test.txt
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/outcomes.h"
#include "dialogue/readers/readers.h"
#include "dialogue/splits.h"
#include "dialogue/strategy.h"

namespace straq::dialogue {

struct RatioConfig {
  double train = 0.7, valid = 0.15, test = 0.15;

  void fields(config::Fields& f) {
    f("train", train, config::between(0, 1));
    f("valid", valid, config::between(0, 1));
    f("test", test, config::between(0, 1));
  }
};

// The words for a corpus's format and for the label of a run of one speaker, in configs, commands
// and tables.
inline constexpr std::initializer_list<config::Choice<Format>> kFormats = {
    {"auto", Format::automatic},
    {"esconv_json", Format::esconv_json},
    {"esconv_jsonl", Format::esconv_jsonl},
    {"empathetic_csv", Format::empathetic_csv}};
inline constexpr std::initializer_list<config::Choice<MergeLabel>> kMergeLabels = {
    {"first", MergeLabel::first}, {"last", MergeLabel::last}, {"none", MergeLabel::none}};

// What is decided and scored: a supporter's turn, as the paper has it, or each of the supporter's
// utterances, as most published strategy predictors have it (an utterance that opens the dialogue
// included).
enum class DecisionUnit { turn, utterance };

// Files of a corpus: a path or a list of them, each a file, a folder (its files that end in txt,
// json, jsonl or csv, packed with gzip or zstd or not) or a pattern with *, ? or [ ]; in the order
// of their names.
struct Paths {
  std::vector<std::string> all;

  Paths() = default;
  Paths(const std::string& path) : all(path.empty() ? 0 : 1, path) {}
  Paths(const char* path) : Paths(std::string(path)) {}
  Paths(std::vector<std::string> paths) : all(std::move(paths)) {}
  Paths(std::initializer_list<std::string> paths) : all(paths) {}
  bool empty() const { return all.empty(); }
  bool operator==(const Paths&) const = default;

  // The files that are there now. `key` names them in errors. Throws Error(input) for a folder or a
  // pattern without any; a file that is not there is its reader's to refuse.
  std::vector<std::string> files(const std::string& key) const;
  // A key that holds them; one path is written as text unless `as_list`.
  void field(config::Fields& f, const std::string& key, bool as_list = false);
};

struct DataConfig {
  std::string name = "esconv";  // of the corpus, in tables and manifests
  Format format = Format::automatic;
  SplitMode split = SplitMode::official;
  // Official splits: the files of each; without any it is no split. Paths are relative to the
  // current folder; variables in them were replaced when the config was read.
  Paths train, valid, test;
  Paths source;  // files that the other two modes split
  RatioConfig ratios;
  std::uint64_t split_seed = 13;
  std::string strategies = "configs/strategies/esconv.yaml";
  DecisionUnit unit = DecisionUnit::turn;
  MergeLabel merge_label = MergeLabel::first;  // of turns
  // Files of outcomes beside the corpus (dialogue/outcomes.h); empty: none.
  std::string ratings, judgements;
  std::int64_t limit = 0;  // at most so many dialogues a split, the first ones; 0: all

  // How utterances become turns: of single utterances nothing is merged.
  MergeLabel merge() const {
    return unit == DecisionUnit::utterance ? MergeLabel::none : merge_label;
  }

  void fields(config::Fields& f);
};

struct Split {
  std::string name;               // train, valid, test
  Corpus corpus;                  // the split's dialogues
  std::vector<Episode> episodes;  // one a dialogue, in the same order
  // sample_level only: the decisions of the dialogue that the split owns; `episodes` hold just
  // those.
  std::vector<std::vector<std::uint8_t>> owned;
};

struct Splits {
  StrategySet strategies;
  std::vector<Split> splits;
  std::vector<OutcomeSource> outcomes = {};  // files that were joined to the decisions

  // The split of that name; nullptr when there is none.
  const Split* find(const std::string& name) const;
};

// The strategies that the config names.
StrategySet load_strategies(const DataConfig& config);

// Reads and cuts what the config says, all of it into memory. Dialogues without strategies become
// episodes without decisions. Outcomes of the files that it names are joined to the decisions.
// Throws Error(input) as plan_corpus and join_outcomes do.
Splits load_splits(const DataConfig& config);
Splits load_splits(const DataConfig& config, const StrategySet& strategies);

// Turns and decisions of a dialogue, as the config has them.
Episode make_episode(const DataConfig& config, const Dialogue& dialogue);

}  // namespace straq::dialogue
