// Requests and sources that the tests of this module share.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "language/source.h"

namespace straq::language {

inline Request chat(const std::string& text, const std::string& id = {}) {
  Request r;
  r.id = id;
  r.messages = {{"system", "You listen."}, {"user", text}};
  return r;
}

inline Request text_request(const std::string& prompt, const std::string& id = {}) {
  Request r;
  r.id = id;
  r.prompt = prompt;
  return r;
}

// All replies by index; a request without one, or with two, fails the test.
inline std::vector<Reply> replies_of(Source& source, const std::vector<Request>& requests) {
  std::vector<Reply> out(requests.size());
  std::vector<int> times(requests.size());
  source.answer(requests, [&](std::size_t i, Reply reply) {
    ++times.at(i);
    out.at(i) = std::move(reply);
  });
  EXPECT_EQ(times, std::vector<int>(requests.size(), 1)) << "a reply to each, once";
  return out;
}

// Answers "echo of <the last words>", counts how often each was asked, and does what it is told
// before.
class CountingSource : public Source {
 public:
  std::string name() const override { return "counting at here"; }
  std::string model() const override { return "counting"; }
  bool scores() const override { return true; }
  void answer(const std::vector<Request>& requests, const Done& done) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Request& r = requests[i];
      const std::string words = r.messages.empty() ? r.prompt : r.messages.back().content;
      ++(*asked)[words];
      Reply reply;
      reply.text = "echo of " + words;
      reply.model = "counting";
      reply.choice_log_probabilities.assign(r.choices.size(), -1.5);
      if (before) before(words, reply);
      done(i, std::move(reply));
    }
  }
  std::shared_ptr<std::map<std::string, int>> asked =
      std::make_shared<std::map<std::string, int>>();
  std::function<void(const std::string&, Reply&)> before;
};

}  // namespace straq::language
