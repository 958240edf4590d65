// One decision that a method replies to: the chat so far, and how it goes on. A method is a few
// calls of a Scene in a row; what it asks goes through a language::Inquiry, so all decisions and
// methods of a job go on side by side (language/talk.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "language/talk.h"
#include "prompt/template.h"
#include "respond/context.h"

namespace straq::respond {

// How a method decides among given options.
//  text    it writes; the option is read by the rules of respond/parse.h
//  scores  the options' numbers are scored as its next words and the most probable one is taken
enum class Choosing { text, scores };

struct SceneConfig {
  ContextConfig context;
  Choosing choose = Choosing::text;
  language::Sampling sampling;    // `max_tokens` is of a reply
  std::int64_t line_tokens = 32;  // for the labelled lines in front of a reply
  std::int64_t note_tokens = 96;  // of what a method writes for itself: feedback, an emotion
  void fields(config::Fields& f);
  SceneConfig() { sampling.max_tokens = 64; }
};

// What all scenes of a job share.
struct Stage {
  const dialogue::StrategySet& strategies;
  const ContextWording& wording;
  const SceneConfig& config;
};

struct Task {
  const dialogue::Episode* episode = nullptr;
  int turn = 0;                  // the supporter turn to be written
  std::optional<int> plan = {};  // the planner's strategy
};

struct Outcome {
  int strategy = -1;  // -1: what was written named none
  std::string reply;
  language::Finish finish = language::Finish::failed;  // of the reply
  std::string error;                                   // of a failed one
  std::vector<std::string> unread;                     // parts that no rule could read, in order
  std::vector<std::pair<std::string, std::string>> notes;
  language::TalkUsage usage;
};

// A strategy and a reply, asked for in one answer of two labelled lines (`ask`, where options are
// chosen in text), or one after the other (`choose`, `write`, where they are scored).
struct DraftWording {
  std::string ask, choose, write;
  // `known`: placeholders of all three beside {strategy} {definition} of `write`.
  void fields(config::Fields& f, const std::vector<std::string_view>& known = {});
};

class Scene {
 public:
  Scene(language::Inquiry& inquiry, const Stage& stage, const Task& task);

  const Task& task() const { return task_; }
  const dialogue::StrategySet& strategies() const { return stage_.strategies; }
  bool by_scores() const { return stage_.config.choose == Choosing::scores; }
  Outcome& outcome() { return outcome_; }

  // Asks for strategy and reply and puts what can be read of them into the outcome; what a later
  // draft does not say stays as the one before had it. Returns the text of the answer.
  std::string draft(const DraftWording& wording, const prompt::Values& values = {});
  // A text of the method's own, on one line; noted as unread where nothing is written.
  std::string write_note(const std::string& piece, const std::string& part);
  // A labelled part of an answer, on one line; noted as unread where it is not there.
  std::string part_of(const std::string& answer, const std::string& part);
  // Asks for the reply that follows the outcome's strategy: `piece` knows {strategy} {definition}.
  void write(const std::string& piece, const prompt::Values& values = {});
  // Reads a reply, and other labelled parts, out of an answer into the outcome.
  void take_reply(const language::Reply& answer, bool labelled);
  // The strategy that the answer names, by its label or tag, into the outcome.
  void take_strategy(const std::string& words);

  // Goes on with the chat: what the method says, and the text of the answer.
  const language::Reply& say(const std::string& piece, const prompt::Values& values,
                             std::int64_t tokens);
  // One of the options, numbered as given: scored, or read from the answer by `read` (-1: unread,
  // which is noted under `part`). The numbers are what the options are called in the text.
  int pick(const std::string& piece, const prompt::Values& values, const std::vector<int>& numbers,
           const std::string& part, const std::function<int(const std::string&)>& read);
  // One of the strategies.
  int pick_strategy(const std::string& piece, const prompt::Values& values,
                    const std::vector<int>& allowed);
  // Yes or no; nothing where the answer is neither.
  std::optional<bool> check(const std::string& piece, const prompt::Values& values);

  void note(const std::string& what, const std::string& text) {
    outcome_.notes.emplace_back(what, text);
  }
  std::vector<int> all_strategies() const;

 private:
  // The chat with `text` as the user's next words.
  language::Request request(const std::string& text, std::int64_t tokens) const;
  void answered(language::Request request, const std::string& text);

  language::Inquiry& inquiry_;
  const Stage& stage_;
  const Task& task_;
  std::vector<language::Message> chat_;
  bool begun_ = false;  // the context's last message has the method's first words behind it
  Outcome outcome_;
};

}  // namespace straq::respond
