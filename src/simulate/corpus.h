// The simulated corpus as files: ESConv's JSONL form (one dialogue a line) for each split, what
// happened behind the words, and a manifest that proves what was generated from what.
//
//   train.txt valid.txt test.txt   read by `straq dataset`, `straq preprocess`, …
//   states/<split>.jsonl           latent states, actions and rewards of every decision
//   manifest.json                  seed, full config, sizes, SHA-256 of every file
//   values.json values/            what policies are worth (value_report.h), where asked for
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "simulate/simulator.h"

namespace straq::simulate {

struct SplitCounts {
  std::string split;
  std::int64_t dialogues = 0, utterances = 0;
  // Of the first 100,000 dialogues.
  std::int64_t seeker_utterances = 0, distinct_seeker = 0;
  std::int64_t decisions = 0;
  std::vector<std::int64_t> by_strategy;  // of decisions
  // Decisions at which the strategy is argmax_a pi(a | latent state): what no reader can beat but
  // by luck.
  std::int64_t oracle_hits = 0;
};

struct CorpusReport {
  std::string folder;
  std::vector<SplitCounts> splits;
  BehaviourAnalysis exact;
  nlohmann::ordered_json manifest;
};

// One line of states/<split>.jsonl, without its newline.
std::string trace_to_jsonl(const SimulatedDialogue& dialogue,
                           const dialogue::StrategySet& strategies);

// Generates everything into `folder` (made when missing; its older files are replaced), with so
// many threads, in memory that does not grow with the corpus. The same config gives the same bytes.
// Splits of size 0 are left out. Throws Error(input) for a bad config, before any file is touched,
// and Error(failure) when the folder can't be written; the manifest is written last, so a folder
// with one is complete.
CorpusReport write_corpus(const SimulateConfig& config, const std::string& folder, int threads = 1);

// What was generated, for people: sizes, and strategies with their exact shares.
std::vector<Table> tables(const CorpusReport& report, const dialogue::StrategySet& strategies);

}  // namespace straq::simulate
