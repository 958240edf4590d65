#include "language/talk.h"

#include <unordered_map>
#include <utility>

namespace straq::language {
namespace {

// How a run of a talk ends before the talk's own end.
struct Unanswered {
  std::vector<Request> requests;
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

// One run with the answers so far: the requests that it waits for, none at its end.
std::vector<Request> run_once(const Talk& talk, const std::vector<Reply>& answers,
                              std::string& error) {
  Inquiry inquiry(answers);
  try {
    talk(inquiry);
  } catch (Unanswered& waiting) {
    return std::move(waiting.requests);
  } catch (AnswerFailed& failed) {
    error = std::move(failed.error);
  }
  return {};
}

// Whose answer a request is, and which of the talk's.
struct AnswerPlace {
  std::size_t talk, answer;
};

// The requests of a round, each once, and whose they are.
struct Round {
  std::vector<Request> requests;
  std::vector<std::vector<AnswerPlace>> answers;
  std::unordered_map<std::string, std::size_t> place;

  void add(const std::string& model, Request request, AnswerPlace answer) {
    const auto [it, fresh] = place.try_emplace(key_of(model, request), requests.size());
    if (fresh) {
      requests.push_back(std::move(request));
      answers.emplace_back();
    }
    answers[it->second].push_back(answer);
  }
};

}  // namespace

const Reply& Inquiry::ask(Request request) {
  if (next_ == answers_.size()) throw Unanswered{{std::move(request)}};
  const Reply& answer = answers_[next_++];
  if (answer.finish == Finish::failed) throw AnswerFailed{answer.error};
  return answer;
}

std::span<const Reply> Inquiry::ask_all(std::vector<Request> requests) {
  const std::size_t first = next_;
  if (first == answers_.size() && !requests.empty()) throw Unanswered{std::move(requests)};
  next_ += requests.size();
  const std::span<const Reply> answers(answers_.data() + first, requests.size());
  for (const Reply& answer : answers) {
    if (answer.finish == Finish::failed) throw AnswerFailed{answer.error};
  }
  return answers;
}

std::vector<Request> requests_of(const Talk& talk, const std::vector<Reply>& answers) {
  std::string error;
  return run_once(talk, answers, error);
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
      if (auto requests = run_once(talks[i], answers[i], error); !requests.empty()) {
        const std::size_t first = answers[i].size();
        answers[i].resize(first + requests.size());
        for (std::size_t r = 0; r < requests.size(); ++r) {
          round.add(model, std::move(requests[r]), {i, first + r});
        }
        still.push_back(i);
        continue;
      }
      --left;
      if (calls.over) calls.over(i, {std::move(error), usage_of(answers[i])});
    }
    open = std::move(still);
    if (open.empty() || (calls.stop && calls.stop())) return rounds;
    source.answer(round.requests, [&](std::size_t r, Reply reply) {
      for (const auto& a : round.answers[r]) answers[a.talk][a.answer] = reply;
      if (calls.answered) calls.answered(left);
    });
  }
}

}  // namespace straq::language
