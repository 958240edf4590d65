#include "language/talk.h"

#include <optional>
#include <unordered_map>
#include <utility>

namespace straq::language {
namespace {

// How a run of a talk ends before the talk's own end.
struct Unanswered {
  Request request;
};
struct AnswerFailed {
  std::string error;
};

TalkUsage usage_of(const std::vector<Reply>& answers) {
  TalkUsage out;
  for (const Reply& r : answers) {
    ++out.requests;
    out.prompt_tokens += r.prompt_tokens;
    out.reply_tokens += r.reply_tokens;
  }
  return out;
}

// One run with the answers so far: the request that it waits for, or its end.
std::optional<Request> run_once(const Talk& talk, const std::vector<Reply>& answers,
                                std::string& error) {
  Inquiry inquiry(answers);
  try {
    talk(inquiry);
  } catch (Unanswered& waiting) {
    return std::move(waiting.request);
  } catch (AnswerFailed& failed) {
    error = std::move(failed.error);
  }
  return std::nullopt;
}

// The requests of a round, each once, and whose they are.
struct Round {
  std::vector<Request> requests;
  std::vector<std::vector<std::size_t>> talks;
  std::unordered_map<std::string, std::size_t> place;

  void add(const std::string& model, Request request, std::size_t talk) {
    const auto [it, fresh] = place.try_emplace(key_of(model, request), requests.size());
    if (fresh) {
      requests.push_back(std::move(request));
      talks.emplace_back();
    }
    talks[it->second].push_back(talk);
  }
};

}  // namespace

const Reply& Inquiry::ask(Request request) {
  if (next_ == answers_.size()) throw Unanswered{std::move(request)};
  const Reply& answer = answers_[next_++];
  if (answer.finish == Finish::failed) throw AnswerFailed{answer.error};
  return answer;
}

std::int64_t run_talks(Source& source, const std::vector<Talk>& talks, const TalkCalls& calls) {
  std::vector<std::vector<Reply>> answers(talks.size());
  std::vector<std::size_t> open(talks.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  std::size_t left = open.size();
  for (std::int64_t rounds = 0;; ++rounds) {
    Round round;
    std::vector<std::size_t> still;
    const std::string model = source.model();
    for (const std::size_t i : open) {
      std::string error;
      if (auto request = run_once(talks[i], answers[i], error)) {
        round.add(model, std::move(*request), i);
        still.push_back(i);
        continue;
      }
      --left;
      if (calls.over) calls.over(i, {std::move(error), usage_of(answers[i])});
    }
    open = std::move(still);
    if (open.empty() || (calls.stop && calls.stop())) return rounds;
    source.answer(round.requests, [&](std::size_t r, Reply reply) {
      for (const std::size_t i : round.talks[r]) answers[i].push_back(reply);
      if (calls.answered) calls.answered(left);
    });
  }
}

}  // namespace straq::language
