// Exchanges of several requests, written as if each waited for its answers, and run all together.
//
// A talk is a pure function of the answers so far: it asks through an Inquiry, which gives back
// what has been answered and ends the run at the first request that has not. With every answer the
// talk is run anew from its beginning. So a method of three calls is three lines, any number of
// talks go on at the same time, and each round asks one source for all that is open: what their
// prompts have in common is then read once.
//
//   const Talk talk = [&](Inquiry& with) {
//     const std::string draft = with.ask(first_request()).text;
//     reply = with.ask(revision_of(draft)).text;
//   };
//   run_talks(source, {talk, …}, {.over = [&](std::size_t i, const TalkEnd& end) { … }});
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "language/source.h"

namespace straq::language {

// What the answers of a talk cost: recorded ones count as much as those that were asked for.
struct TalkUsage {
  std::int64_t requests = 0, prompt_tokens = 0, reply_tokens = 0;
};

class Inquiry {
 public:
  explicit Inquiry(const std::vector<Reply>& answers) : answers_(answers) {}

  // The answer to the talk's next request. Ends the run where there is none yet, and the talk where
  // the answer is a failed one: what is thrown passes through a talk and is none of its affair.
  const Reply& ask(Request request);
  // The same for several that do not wait for each other: one round instead of many. The answers
  // are in the order of the requests and stay as long as the talk's run.
  std::span<const Reply> ask_all(std::vector<Request> requests);

 private:
  const std::vector<Reply>& answers_;
  std::size_t next_ = 0;
};

// Asks through the Inquiry alone and depends on nothing else that changes; it is called several
// times, and what it stores it stores anew each time.
using Talk = std::function<void(Inquiry&)>;

// The requests that a talk waits for when it has these answers; none: it is over.
std::vector<Request> requests_of(const Talk& talk, const std::vector<Reply>& answers = {});

struct TalkEnd {
  std::string error;  // of the request that failed; empty: the talk went to its end
  TalkUsage usage;
};

struct TalkCalls {
  // Once a talk, when it is over.
  std::function<void(std::size_t talk, const TalkEnd& end)> over;
  // After each answer; may be empty. `open` talks are not over yet.
  std::function<void(std::size_t open)> answered;
  // Between rounds: true leaves the rest unasked; may be empty.
  std::function<bool()> stop;
};

// Runs all talks to their ends, in rounds; of the requests of a round that are the same one is
// asked. Returns how many rounds there were. Throws what the source and the talks throw.
std::int64_t run_talks(Source& source, const std::vector<Talk>& talks, const TalkCalls& calls);

}  // namespace straq::language
