// A language model as a judge of replies: one item, one score from 1 to 5. The model is made to
// answer at one position, where the probabilities of "1" to "5" give an expected score; a source
// without probabilities writes, and the number is read from its text. An answer that cannot be read
// is counted and never asked for again: a judge that is asked until it fits looks better than it
// is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "language/source.h"
#include "respond/context.h"
#include "results/rows/replies.h"

namespace straq::judge {

inline constexpr int kLowestScore = 1, kHighestScore = 5;

// The wording, read from configs/judging.
struct JudgeWording {
  struct Dimension {
    std::string name, question;
    void fields(config::Fields& f);
  };
  std::string role, reply, conversation, scale, reversed, number, text, explain;
  std::vector<Dimension> dimensions;
  void fields(config::Fields& f);
  // Throws Error(input) naming file, line and key.
  static JudgeWording load(const std::string& path);
};

enum class Reading {
  automatic,  // scores where the source has them, else text
  scores,     // expected score from the options' probabilities; the integer is the likeliest option
  text,       // the integer and a reason from what is written
  both,       // the expected score from probabilities, integer and reason from what is written
};

// Which of the two becomes `overall`, and with it the reward.
enum class OverallScore { expected, integer };

struct JudgeConfig {
  respond::ContextConfig context;
  Reading read = Reading::automatic;
  OverallScore overall = OverallScore::expected;
  bool explain = false;   // a reason also where the score comes from probabilities
  bool reversed = false;  // scored again with the scale read from its other end
  std::vector<std::string> dimensions = {"overall"};
  std::int64_t text_tokens = 64;
  void fields(config::Fields& f);
  // The strategies behind the supporter's turns are not shown: a judge rates what the seeker reads.
  JudgeConfig() { context.history_strategy = false; }
};

struct Item {
  std::string id, dialogue, strategy;  // of the row; strategy of what is judged, may be empty
  const dialogue::Episode* episode = nullptr;
  int turn = 0;       // the turns before it are the conversation
  std::string reply;  // empty: the conversation as a whole is judged
};

struct JudgeCalls {
  std::function<void(std::size_t open)> answered;
  std::function<bool()> stop;
};

struct Judged {
  results::Judgement row;
  bool failed = false;  // a request failed: another run may bring it
};

// A row an item; items whose request failed, or whose answer could not be read, are not parsed and
// say why. Rows that were left unasked are absent.
std::vector<std::optional<Judged>> judge_items(
    language::Source& source, const JudgeWording& wording, const respond::ContextWording& context,
    const JudgeConfig& config, const dialogue::StrategySet& strategies,
    const std::vector<Item>& items, const JudgeCalls& calls = {});

// The expected score and the mass of the options from the logarithms of their probabilities, in the
// order 1 to 5. Nothing where all are zero.
struct OptionScore {
  double expected = 0, mass = 0;
  int likeliest = kLowestScore;  // the first of the greatest
};
std::optional<OptionScore> option_score(const std::vector<double>& log_probabilities);

}  // namespace straq::judge
