// A source that answers as a test says, and keeps what it was asked.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "language/source.h"

namespace straq::testing {

class ScriptedSource : public language::Source {
 public:
  using Script = std::function<language::Reply(const language::Request&)>;
  explicit ScriptedSource(Script script, bool scores = true)
      : script_(std::move(script)), scores_(scores) {}

  std::string name() const override { return "scripted"; }
  bool scores() const override { return scores_; }
  void answer(const std::vector<language::Request>& requests, const Done& done) override {
    rounds.push_back(requests.size());
    // The last first: nobody may rely on an order.
    for (std::size_t i = requests.size(); i-- > 0;) {
      asked.push_back(requests[i]);
      language::Reply reply = script_(requests[i]);
      reply.prompt_tokens = 10;
      reply.reply_tokens = reply.text.empty() ? 0 : 3;
      done(i, std::move(reply));
    }
  }

  std::vector<std::size_t> rounds;  // requests of each
  std::vector<language::Request> asked;

 private:
  Script script_;
  bool scores_;
};

inline language::Reply says(const std::string& text) {
  language::Reply out;
  out.text = text;
  return out;
}
inline language::Reply fails(const std::string& error) {
  language::Reply out;
  out.finish = language::Finish::failed;
  out.error = error;
  return out;
}
// Scores of `count` choices of which `best` is the most probable.
inline language::Reply prefers(std::size_t best, std::size_t count) {
  language::Reply out;
  out.choice_log_probabilities.assign(count, -3.0);
  out.choice_log_probabilities.at(best) = -0.5;
  return out;
}
inline const std::string& last_words(const language::Request& r) {
  return r.messages.back().content;
}
inline bool asks(const language::Request& r, const std::string& words) {
  return last_words(r).find(words) != std::string::npos;
}

}  // namespace straq::testing
