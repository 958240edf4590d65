// Language models behind one interface: chats in, replies out. Local weights (module `local`), a
// server, recorded replies and batch files are such sources; whoever plans, writes or judges asks
// one and does not know which.
//
//   auto source = language::open_source(config);
//   source->answer(requests, [&](std::size_t i, language::Reply reply) { … });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"
#include "text/chat_template.h"

namespace straq::language {

using Message = text::ChatMessage;

// How the next token is chosen. Filters are applied in the order of the fields from `temperature`
// on; 0 as temperature takes the most probable token and uses no random number.
struct Sampling {
  std::int64_t max_tokens = 256;
  double repetition_penalty = 1.0;  // Keskar et al. 2019, over prompt and reply; 1: none
  double temperature = 0.0;
  std::int64_t top_k = 0;         // 0: all
  double top_p = 1.0;             // the fewest most probable tokens that reach this probability
  double min_p = 0.0;             // tokens at least this share of the greatest probability
  std::vector<std::string> stop;  // a reply ends before the first of these
  std::uint64_t seed = 0;

  void fields(config::Fields& f) {
    f("max_tokens", max_tokens, config::at_least(1));
    f("repetition_penalty", repetition_penalty, config::above(0));
    f("temperature", temperature, config::at_least(0));
    f("top_k", top_k, config::at_least(0));
    f("top_p", top_p, config::above(0));
    f("min_p", min_p, config::at_least(0));
    f("stop", stop);
    f("seed", seed);
  }
};

struct Request {
  std::string id;  // of the caller; not part of what is asked
  // A chat that ends where the assistant is to write; or, where it is empty, `prompt`, a text to be
  // gone on with.
  std::vector<Message> messages;
  std::string prompt;
  Sampling sampling;
  // Not empty: nothing is written, each of these is scored as what the assistant would say next.
  std::vector<std::string> choices;
  // Which of several samples of the same request this is; part of its key and of its seed.
  std::int64_t sample = 0;
};

enum class Finish { stop, length, failed };

struct Reply {
  std::string text;
  Finish finish = Finish::stop;
  std::string error;  // why it failed, in words; no text then
  // Of a request with choices: the natural logarithm of each one's probability after the prompt.
  std::vector<double> choice_log_probabilities;
  std::string model;  // as the source names it
  std::int64_t prompt_tokens = 0, reply_tokens = 0;
  std::int64_t attempts = 1;
  double seconds = 0;
  bool recorded = false;  // taken from a record, not asked for again
};

class Source {
 public:
  virtual ~Source() = default;
  // What stands in tables and records: "smollm2-135m-instruct.gguf", "gpt-4o at https://…".
  virtual std::string name() const = 0;
  // What decides on replies, as it goes into their keys: the name without the place that a model is
  // served at, so that replies recorded from one host count on another.
  virtual std::string model() const { return name(); }
  // Whether requests with choices can be answered.
  virtual bool scores() const = 0;

  // Answers all requests and calls `done` with each one's index and reply as they come, in any
  // order, from this thread. A request that fails is a reply with Finish::failed. Throws
  // Error(input) for requests that cannot be asked at all and Error(failure) when the source as a
  // whole is lost or more fail than is allowed; what `done` has seen stays valid.
  using Done = std::function<void(std::size_t index, Reply reply)>;
  virtual void answer(const std::vector<Request>& requests, const Done& done) = 0;
};

// A hash of all that decides on a reply: `model`, messages or prompt, choices, sampling and sample
// number. Not of the id. 64 hexadecimal digits.
std::string key_of(const std::string& model, const Request& request);

// The seed that a request's tokens are drawn with: `sampling.seed` and `sample` mixed, so that
// samples of one request differ and are the same in every run. Below 2^31, which every server
// takes.
std::int64_t seed_of(const Request& request);

}  // namespace straq::language
