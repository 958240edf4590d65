// What every method shows of a decision: who the supporter is, the strategies, what is known of the
// seeker and the conversation so far. It is the same for all methods of a decision, and a true
// beginning of what the next decision of the dialogue shows, so that a source which keeps what it
// has read reads each dialogue once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "language/source.h"

namespace straq::respond {

// The wording, read from configs/replies/context.yaml.
struct ContextWording {
  std::string role;
  struct Strategies {
    std::string heading, line;  // {number} {name} {definition}
    void fields(config::Fields& f);
  } strategies;
  std::string examples;  // worked examples, as text; empty: none
  struct Background {
    std::string heading, emotion, problem, situation;
    void fields(config::Fields& f);
  } background;
  struct History {
    std::string heading, seeker, supporter, tagged;  // {text}, {strategy} of a tagged line
    std::string query;  // before the seeker's last words, in the paper's order
    void fields(config::Fields& f);
  } history;

  void fields(config::Fields& f);
  // Throws Error(input) naming file, line and key.
  static ContextWording load(const std::string& path);
};

// Where things stand.
//  shared  strategies first, in a system message; the conversation last, its end the seeker's words
//  paper   one message in the order of the paper's appendix A.2: background, history, query, then
//          the strategies; what follows the history is then read again for every decision
enum class ContextOrder { shared, paper };

struct ContextConfig {
  ContextOrder order = ContextOrder::shared;
  bool emotion = true;           // the seeker's, of the whole session
  bool problem = false;          // problem_type
  bool situation = true;         // the seeker's description
  bool history_strategy = true;  // the supporter's strategies before, where the corpus has them
  std::int64_t turns = 0;        // at most so many of the last turns; 0: all
  void fields(config::Fields& f);
};

// The chat that every method of the decision begins with; the last message is the user's and waits
// for what the method asks. `turn` is the supporter turn to be written.
std::vector<language::Message> context_of(const ContextWording& wording,
                                          const ContextConfig& config,
                                          const dialogue::StrategySet& strategies,
                                          const dialogue::Episode& episode, int turn);

// The parts by themselves, for who asks about something else than a decision. Each ends with a line
// end, or is empty.
std::string strategy_lines(const ContextWording& wording, const dialogue::StrategySet& strategies,
                           const std::vector<int>& shown);
std::string background_lines(const ContextWording& wording, const ContextConfig& config,
                             const dialogue::Episode& episode);
std::string history_lines(const ContextWording& wording, const ContextConfig& config,
                          const dialogue::StrategySet& strategies, const dialogue::Episode& episode,
                          int first, int end);
// The turns before `turn` that are shown begin here.
int first_shown(const ContextConfig& config, int turn);

// What begins a line of the seeker, and so ends a reply that has begun to write for both.
std::string seeker_mark(const ContextWording& wording);

}  // namespace straq::respond
