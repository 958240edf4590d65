// What a responder is asked: the conversation as a chat, and at its very end the strategy to
// follow. In this order all strategies of a decision share the whole conversation, and all
// decisions of a dialogue what they have in common, so a source that keeps what it has read reads
// it once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "dialogue/dialogue.h"
#include "dialogue/strategy.h"
#include "language/source.h"

namespace straq::respond {

// The wording, read from configs/replies.
struct ReplyPrompt {
  std::string name;
  std::string system;   // {situation} {emotion} {problem}
  std::string note;     // behind the seeker's last words: {strategy} {definition}
  std::string no_note;  // the same where no strategy is given; may be empty
  std::string opening;  // a user's message before a supporter who speaks first
  std::string unknown;  // what stands for a situation, emotion or problem that is not known

  void fields(config::Fields& f) {
    f.required("name", name);
    f.required("system", system);
    f.required("note", note);
    f("no_note", no_note);
    f.required("opening", opening);
    f.required("unknown", unknown);
  }

  // Throws Error(input) naming the file and the key for a missing or unknown key, a placeholder
  // that the key does not know, and a note without {strategy}.
  static ReplyPrompt load(const std::string& path);

  // The chat in which the supporter turn `turn` of the episode is to be written; the turns before
  // it are its conversation. Seekers are users, supporters the assistant.
  std::vector<language::Message> messages(const dialogue::Episode& episode, int turn,
                                          const dialogue::Strategy* strategy) const;
};

}  // namespace straq::respond
