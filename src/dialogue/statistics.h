// What a corpus holds, as tables: the paper's Tables 7 (strategies), 8 (emotions) and 10 (sizes and
// lengths), the problem types, and the decisions that each split gives per strategy. They are the
// first thing to compare when two runs disagree: another merge rule or split shows here at once.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"

namespace straq::dialogue {

// Sizes as Table 10 counts them: single utterances, without a supporter utterance that opens a
// dialogue; lengths in words of word_tokenize.
struct SizeStatistics {
  std::int64_t dialogues = 0;
  std::int64_t seeker_utterances = 0, supporter_utterances = 0;
  std::int64_t seeker_words = 0, supporter_words = 0;
  std::int64_t opening_utterances = 0;  // those left out
  std::set<std::string> emotions = {};  // of dialogues that name one
  std::set<int> strategies = {};        // used

  std::int64_t utterances() const { return seeker_utterances + supporter_utterances; }
  std::int64_t words() const { return seeker_words + supporter_words; }
  void add(const Dialogue& dialogue);
  void add(const SizeStatistics& part);
};

// Decisions of one split or more.
struct DecisionStatistics {
  std::int64_t dialogues = 0, decisions = 0;
  std::vector<std::int64_t> per_strategy = {};
  std::int64_t terminal = 0;         // decisions without a next state
  std::int64_t least = 0, most = 0;  // decisions of a dialogue
  std::int64_t openers = 0;          // dialogues that the supporter opens
  std::int64_t supporter_ends = 0;   // dialogues whose last turn is the supporter's
  // Merged supporter turns that a decision stands at: from more than one utterance, and of those
  // with more than one strategy, where the merge rule decides the label.
  std::int64_t merged = 0, mixed = 0;

  void add(const Episode& episode);
  void add(const DecisionStatistics& part);
};

// What is counted of one split of a corpus, dialogue by dialogue: it does not grow with them.
struct SplitStatistics {
  std::string corpus;  // name
  std::string split;
  SizeStatistics sizes = {};
  DecisionStatistics decisions = {};
  std::map<std::string, long> emotions = {}, problems = {};  // dialogues by what they name

  // `episode` may have fewer decisions than the dialogue.
  void add(const Dialogue& dialogue, const Episode& episode);
};

Table strategy_table(const StrategySet& strategies);              // Table 7
Table emotion_table(const std::vector<SplitStatistics>& splits);  // Table 8, all splits in one
Table problem_table(const std::vector<SplitStatistics>& splits);
Table size_table(const std::vector<SplitStatistics>& splits);  // Table 10, a column per corpus
// A row per strategy and per total, a column per split and one for all.
Table decision_table(const std::vector<SplitStatistics>& splits, const StrategySet& strategies,
                     MergeLabel merge);

// All of these that the splits have something for: no decision table without strategies.
std::vector<Table> corpus_tables(const std::vector<SplitStatistics>& splits,
                                 const StrategySet& strategies, MergeLabel merge);

}  // namespace straq::dialogue
