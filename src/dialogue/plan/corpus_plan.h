// Where every dialogue of a corpus lies and which split it belongs to: what is planned with when
// the corpus itself is larger than memory. Made in one pass over the files, which checks everything
// that the readers check; dialogues are then read from their places, by whoever needs them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialogue/data_config.h"
#include "dialogue/plan/corpus_index.h"

namespace straq::dialogue {

struct PlannedSplit {
  std::string name;                    // train, valid, test
  std::vector<std::uint32_t> files;    // that it is cut from
  std::string sha256;                  // of their content, one after the other
  std::vector<std::uint32_t> members;  // index into CorpusPlan::dialogues, in the split's order
  // sample_level only: the decisions of each member that the split owns.
  std::vector<std::vector<std::uint8_t>> owned;
  std::int64_t decisions = 0;
};

struct CorpusPlan {
  std::vector<PlannedFile> files;
  std::vector<PlannedDialogue> dialogues;  // of all files, in their order
  std::vector<PlannedSplit> splits;

  const PlannedSplit* find(const std::string& split) const;
};

// Reads the files that the config names. Throws Error(input) when the mode's files are not named,
// and what read_index throws.
CorpusPlan plan_corpus(const DataConfig& config, const StrategySet& strategies,
                       const OnDialogue& on_dialogue = {});
// The same by way of a folder of indexes: files that are as they were when their index was written
// are not read again. A folder that cannot be written to is no matter.
CorpusPlan plan_corpus(const DataConfig& config, const StrategySet& strategies,
                       const std::string& indexes);

// What a file of outcomes says of a decision.
struct DecisionOutcome {
  int rating = 0;  // 0: none
  std::optional<double> judge = {};
};

// One dialogue of a split, for whoever has not read the corpus.
struct EpisodeOrder {
  std::uint32_t file = 0;
  DialoguePlace place;
  std::vector<std::uint8_t> owned = {};  // empty: all decisions
  // Of every decision that is left, in place of what the corpus says; empty: there are none.
  std::vector<DecisionOutcome> outcomes = {};
};

// Some dialogues, with the files that they lie in.
struct EpisodeOrders {
  std::map<std::uint32_t, PlannedFile> files;  // by what `episodes` call them
  std::vector<EpisodeOrder> episodes;
};

// Makes episodes of dialogues where they lie.
class EpisodeReader {
 public:
  EpisodeReader(const DataConfig& config, const StrategySet& strategies)
      : config_(config), strategies_(strategies) {}
  EpisodeReader(const EpisodeReader&) = delete;
  EpisodeReader& operator=(const EpisodeReader&) = delete;
  // A file of a plan and the number that orders call it by; known already is no matter. It is
  // opened when its first dialogue is asked for.
  void know(std::uint32_t number, const PlannedFile& file) { files_.emplace(number, file); }
  // Both throw Error(input) where the file is not the one that the plan was made from.
  Dialogue dialogue(std::uint32_t file, const DialoguePlace& place);
  Episode read(const EpisodeOrder& order);
  // Throws Error(input) where a file that is open has changed since.
  void check() const;

 private:
  DataConfig config_;
  StrategySet strategies_;
  std::map<std::uint32_t, PlannedFile> files_;
  std::map<std::uint32_t, DialogueFile> open_;
};

}  // namespace straq::dialogue
