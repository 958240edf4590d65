#include "judge/judge.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "dialogue/utf8.h"
#include "language/talk.h"
#include "prompt/template.h"
#include "respond/parse.h"
#include "respond/wording.h"

namespace straq::judge {
namespace {

using respond::piece;

constexpr const char* kOverall = "overall";  // the dimension that is the reward

const std::vector<respond::PartLabel>& judge_labels() {
  static const std::vector<respond::PartLabel> kLabels = {
      {"score", {"Score", "Rating", "Overall score"}},
      {"reason", {"Reason", "Explanation", "Because"}}};
  return kLabels;
}

std::int64_t words_in(const std::string& text) {
  const std::string even = dialogue::normalise_space(text);
  return even.empty() ? 0 : 1 + std::count(even.begin(), even.end(), ' ');
}

// All that the supporter says before `turn`.
std::int64_t supporter_words(const dialogue::Episode& episode, int turn) {
  std::int64_t n = 0;
  for (int i = 0; i < turn; ++i) {
    const auto& t = episode.turns[static_cast<std::size_t>(i)];
    if (t.speaker == dialogue::Speaker::supporter) n += words_in(t.text);
  }
  return n;
}

const JudgeWording::Dimension& dimension_of(const JudgeWording& wording, const std::string& name) {
  const auto it = std::find_if(wording.dimensions.begin(), wording.dimensions.end(),
                               [&](const auto& d) { return d.name == name; });
  if (it != wording.dimensions.end()) return *it;
  std::vector<std::string> names;
  for (const auto& d : wording.dimensions) names.push_back(d.name);
  const std::string near = config::nearest(name, names);
  fail_input("the judge's wording has no dimension \"" + name + "\"",
             near.empty() ? "add it under dimensions" : "did you mean " + near + "?");
}

// What one question brought.
struct Answer {
  std::optional<double> expected, mass, reversed;
  std::optional<int> integer;
  std::string explanation;
};

// One item. All questions about it go out together, for none waits for another's answer; only a
// reason follows its number.
class Hearing {
 public:
  Hearing(const JudgeWording& wording, const JudgeConfig& config, const Item& item,
          std::vector<language::Message> chat, bool by_scores, bool by_text)
      : wording_(wording),
        config_(config),
        item_(item),
        chat_(std::move(chat)),
        by_scores_(by_scores),
        by_text_(by_text) {}

  // By dimension, in the config's order.
  std::vector<Answer> ask(language::Inquiry& inquiry) const {
    std::vector<language::Request> requests;
    for (const auto& name : config_.dimensions) add_questions(name, requests);
    const auto replies = inquiry.ask_all(requests);
    std::vector<Answer> out;
    std::size_t next = 0;
    for (const auto& name : config_.dimensions) {
      Answer& answer = out.emplace_back();
      if (by_scores_) {
        const language::Request& asked = requests[next];
        const OptionScore score = read_scores(replies[next++]);
        answer.expected = score.expected;
        answer.mass = score.mass;
        if (!by_text_) answer.integer = score.likeliest;
        if (config_.reversed) answer.reversed = read_scores(replies[next++]).expected;
        if (config_.explain && !by_text_ && name == kOverall) {
          answer.explanation = reason_of(inquiry, asked, score.likeliest);
        }
      }
      if (by_text_) read_text(replies[next++].text, answer);
    }
    return out;
  }

 private:
  language::Request request(const std::string& text, std::int64_t tokens) const {
    language::Request out;
    out.id = item_.id;
    out.messages = chat_;
    out.messages.back().content += text;
    out.sampling.max_tokens = tokens;
    return out;
  }

  language::Request scored(const std::string& question) const {
    language::Request out = request(question + "\n" + wording_.number, 1);
    // Nothing is written, so nothing of how it would be sampled is part of what is asked.
    out.sampling = {};
    for (int k = kLowestScore; k <= kHighestScore; ++k) out.choices.push_back(std::to_string(k));
    return out;
  }

  void add_questions(const std::string& name, std::vector<language::Request>& out) const {
    const auto& question = dimension_of(wording_, name).question;
    const std::string scale = prompt::fill(wording_.scale, {{"question", question}});
    if (by_scores_) {
      out.push_back(scored(scale));
      if (config_.reversed) {
        out.push_back(scored(prompt::fill(wording_.reversed, {{"question", question}})));
      }
    }
    if (by_text_) out.push_back(request(scale + "\n" + wording_.text, config_.text_tokens));
  }

  static OptionScore read_scores(const language::Reply& reply) {
    const auto score = option_score(reply.choice_log_probabilities);
    if (!score) fail_runtime("the judge gives every option the probability 0", "use read: text");
    return *score;
  }

  std::string reason_of(language::Inquiry& inquiry, language::Request asked, int score) const {
    asked.choices.clear();
    asked.sampling.max_tokens = config_.text_tokens;
    asked.messages.push_back({"assistant", std::to_string(score)});
    asked.messages.push_back({"user", wording_.explain});
    return respond::bare_text(inquiry.ask(std::move(asked)).text);
  }

  static void read_text(const std::string& text, Answer& out) {
    const auto parts = respond::cut_answer(text, judge_labels());
    const std::string* score = parts.find("score");
    out.integer = respond::number_of(score ? *score : parts.before, kLowestScore, kHighestScore);
    const std::string* reason = parts.find("reason");
    out.explanation = respond::bare_text(reason ? *reason : text);
  }

  const JudgeWording& wording_;
  const JudgeConfig& config_;
  const Item& item_;
  std::vector<language::Message> chat_;
  bool by_scores_, by_text_;
};

// The number that counts, of the two that may be there.
std::optional<double> counted(const Answer& a, OverallScore overall) {
  const bool integer = overall == OverallScore::integer || !a.expected;
  if (!integer) return a.expected;
  return a.integer ? std::optional<double>(*a.integer) : std::nullopt;
}

results::Judgement row_without_scores(const Item& item) {
  results::Judgement row;
  row.id = item.id;
  row.dialogue = item.dialogue;
  row.strategy = item.strategy;
  row.words = item.reply.empty() ? supporter_words(*item.episode, item.turn) : words_in(item.reply);
  row.parsed = false;
  return row;
}

results::Judgement heard(const Hearing& hearing, language::Inquiry& inquiry,
                         const JudgeConfig& config, const Item& item) {
  results::Judgement row = row_without_scores(item);
  std::string unread;
  const auto answers = hearing.ask(inquiry);
  for (std::size_t d = 0; d < answers.size(); ++d) {
    const std::string& name = config.dimensions[d];
    const bool overall = name == kOverall;
    const Answer& answer = answers[d];
    const auto score = counted(answer, config.overall);
    if (!score) {
      unread += (unread.empty() ? "" : ", ") + name;
      if (overall) row.explanation = answer.explanation;
      continue;
    }
    if (!overall) {
      row.scores[name] = *score;
      continue;
    }
    row.overall = score;
    row.expected = answer.expected;
    row.integer = answer.integer;
    row.mass = answer.mass;
    row.reversed = answer.reversed;
    row.explanation = answer.explanation;
  }
  row.parsed = row.overall || !row.scores.empty();
  if (!unread.empty()) row.error = "no number from 1 to 5 in the answer: " + unread;
  return row;
}

}  // namespace

void JudgeWording::Dimension::fields(config::Fields& f) {
  f.required("name", name);
  piece(f, "question", question);
}

void JudgeWording::fields(config::Fields& f) {
  piece(f, "role", role);
  piece(f, "reply", reply, {"reply"}, {"reply"});
  piece(f, "conversation", conversation);
  f.required("dimensions", dimensions);
  piece(f, "scale", scale, {"question"}, {"question"});
  piece(f, "reversed", reversed, {"question"}, {"question"});
  piece(f, "number", number);
  piece(f, "text", text);
  piece(f, "explain", explain);
}

JudgeWording JudgeWording::load(const std::string& path) {
  return config::read<JudgeWording>(config::load_config(path));
}

void JudgeConfig::fields(config::Fields& f) {
  f("context", context);
  f.choice("read", read,
           {{"auto", Reading::automatic},
            {"scores", Reading::scores},
            {"text", Reading::text},
            {"both", Reading::both}});
  f.choice("overall", overall,
           {{"expected", OverallScore::expected}, {"integer", OverallScore::integer}});
  f("explain", explain);
  f("reversed", reversed);
  f("dimensions", dimensions);
  f("text_tokens", text_tokens, config::between(1, 1e6));
}

std::optional<OptionScore> option_score(const std::vector<double>& log_probabilities) {
  OptionScore out;
  double weighted = 0, best = -1;
  for (std::size_t i = 0; i < log_probabilities.size(); ++i) {
    const double p = std::exp(log_probabilities[i]);
    const int score = kLowestScore + static_cast<int>(i);
    out.mass += p;
    weighted += p * score;
    if (p > best) {
      best = p;
      out.likeliest = score;
    }
  }
  if (!(out.mass > 0)) return std::nullopt;
  out.expected = std::clamp(weighted / out.mass, static_cast<double>(kLowestScore),
                            static_cast<double>(kHighestScore));
  return out;
}

std::vector<std::optional<Judged>> judge_items(
    language::Source& source, const JudgeWording& wording, const respond::ContextWording& context,
    const JudgeConfig& config, const dialogue::StrategySet& strategies,
    const std::vector<Item>& items, const JudgeCalls& calls) {
  for (const auto& name : config.dimensions) static_cast<void>(dimension_of(wording, name));
  const bool automatic = config.read == Reading::automatic;
  const bool by_scores = automatic ? source.scores() : config.read != Reading::text;
  const bool by_text = automatic ? !source.scores() : config.read != Reading::scores;
  if (by_scores && !source.scores()) {
    fail_input("read: " + source.name() + " gives no probabilities",
               "set read: text, or the server's scores: top_logprobs");
  }
  const auto chat_of = [&](const Item& item) -> std::vector<language::Message> {
    std::string text = background_lines(context, config.context, *item.episode);
    if (!text.empty()) text += "\n";
    text += context.history.heading + "\n" +
            history_lines(context, config.context, strategies, *item.episode,
                          respond::first_shown(config.context, item.turn), item.turn);
    text += "\n" + (item.reply.empty() ? wording.conversation
                                       : prompt::fill(wording.reply, {{"reply", item.reply}}));
    return {{"system", wording.role}, {"user", text + "\n\n"}};
  };
  std::vector<std::optional<Judged>> rows(items.size());
  std::vector<language::Talk> talks;
  for (std::size_t i = 0; i < items.size(); ++i) {
    talks.emplace_back([&, i](language::Inquiry& inquiry) {
      const Hearing hearing(wording, config, items[i], chat_of(items[i]), by_scores, by_text);
      rows[i] = Judged{heard(hearing, inquiry, config, items[i])};
    });
  }
  language::TalkCalls talk_calls;
  talk_calls.over = [&](std::size_t i, const language::TalkEnd& end) {
    if (end.error.empty()) return;
    rows[i] = Judged{row_without_scores(items[i]), /*failed=*/true};
    rows[i]->row.error = end.error;
  };
  talk_calls.answered = calls.answered;
  talk_calls.stop = calls.stop;
  language::run_talks(source, talks, talk_calls);
  return rows;
}

}  // namespace straq::judge
