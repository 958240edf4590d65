#include "respond/scene.h"

#include <algorithm>
#include <numeric>

#include "respond/parse.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

// The words in brackets that an answer begins with, and what follows them.
std::string leading_tag(std::string& text) {
  if (text.empty() || (text.front() != '[' && text.front() != '(')) return "";
  const auto close = text.find(text.front() == '[' ? ']' : ')');
  if (close == std::string::npos) return "";
  std::string tag = text.substr(1, close - 1);
  text = text.substr(close + 1);
  return tag;
}

std::string first_line(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string behind_first_line(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\n");
  const auto end = begin == std::string::npos ? begin : text.find('\n', begin);
  return end == std::string::npos ? "" : text.substr(end + 1);
}

}  // namespace

void SceneConfig::fields(config::Fields& f) {
  f("context", context);
  f.choice("choose", choose, {{"text", Choosing::text}, {"scores", Choosing::scores}});
  f("sampling", sampling);
  f("line_tokens", line_tokens, config::between(0, 1e6));
  f("note_tokens", note_tokens, config::between(1, 1e6));
}

void DraftWording::fields(config::Fields& f, const std::vector<std::string_view>& known) {
  piece(f, "ask", ask, known);
  piece(f, "choose", choose, known);
  auto with = known;
  for (const std::string_view name : {"strategy", "definition"}) {
    if (std::find(with.begin(), with.end(), name) == with.end()) with.push_back(name);
  }
  piece(f, "write", write, with, {"strategy"});
}

Scene::Scene(language::Inquiry& inquiry, const Stage& stage, const Task& task)
    : inquiry_(inquiry),
      stage_(stage),
      task_(task),
      chat_(context_of(stage.wording, stage.config.context, stage.strategies, *task.episode,
                       task.turn)) {}

language::Request Scene::request(const std::string& text, std::int64_t tokens) const {
  language::Request out;
  out.id = task_.episode->id + ":" + std::to_string(task_.turn);
  out.messages = chat_;
  if (begun_) {
    out.messages.push_back({"user", text});
  } else {
    out.messages.back().content += "\n" + text;
  }
  out.sampling = stage_.config.sampling;
  out.sampling.max_tokens = tokens;
  out.sampling.stop.push_back("\n" + seeker_mark(stage_.wording));
  return out;
}

void Scene::answered(language::Request request, const std::string& text) {
  chat_ = std::move(request.messages);
  chat_.push_back({"assistant", text});
  begun_ = true;
}

const language::Reply& Scene::say(const std::string& piece, const prompt::Values& values,
                                  std::int64_t tokens) {
  language::Request asked = request(prompt::fill(piece, values), tokens);
  const language::Reply& answer = inquiry_.ask(asked);
  answered(std::move(asked), answer.text);
  return answer;
}

std::vector<int> Scene::all_strategies() const {
  std::vector<int> all(static_cast<std::size_t>(strategies().size()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

int Scene::pick(const std::string& piece, const prompt::Values& values,
                const std::vector<int>& numbers, const std::string& part,
                const std::function<int(const std::string&)>& read) {
  if (!by_scores()) {
    const int chosen = read(say(piece, values, stage_.config.line_tokens).text);
    if (chosen < 0) outcome_.unread.push_back(part);
    return chosen;
  }
  language::Request asked = request(prompt::fill(piece, values), 1);
  // Nothing is written, so nothing of how it would be sampled is part of what is asked.
  asked.sampling = {};
  for (const int n : numbers) asked.choices.push_back(std::to_string(n + 1));
  const auto& scores = inquiry_.ask(asked).choice_log_probabilities;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  const int chosen = numbers.at(static_cast<std::size_t>(best));
  asked.choices.clear();
  answered(std::move(asked), std::to_string(chosen + 1));
  return chosen;
}

int Scene::pick_strategy(const std::string& piece, const prompt::Values& values,
                         const std::vector<int>& allowed) {
  return pick(piece, values, allowed, "strategy", [&](const std::string& text) {
    const auto parts = cut_answer(text, answer_labels());
    const std::string* labelled = parts.find("strategy");
    const int s = strategy_of(first_line(labelled ? *labelled : text), strategies());
    return std::find(allowed.begin(), allowed.end(), s) == allowed.end() ? -1 : s;
  });
}

std::optional<bool> Scene::check(const std::string& piece, const prompt::Values& values) {
  if (!by_scores()) {
    const auto verdict = verdict_of(say(piece, values, stage_.config.line_tokens).text);
    if (!verdict) outcome_.unread.emplace_back("check");
    return verdict;
  }
  language::Request asked = request(prompt::fill(piece, values), 1);
  asked.sampling = {};
  asked.choices = {"Yes", "No"};
  const auto& scores = inquiry_.ask(asked).choice_log_probabilities;
  const bool yes = scores.at(0) >= scores.at(1);
  asked.choices.clear();
  answered(std::move(asked), yes ? "Yes" : "No");
  return yes;
}

void Scene::take_strategy(const std::string& words) {
  const int s = strategy_of(words, strategies());
  if (s < 0) {
    outcome_.unread.emplace_back("strategy");
  } else {
    outcome_.strategy = s;
  }
}

void Scene::take_reply(const language::Reply& answer, bool labelled) {
  const auto parts = cut_answer(answer.text, answer_labels());
  std::string text;
  if (const std::string* reply = parts.find("reply")) {
    text = *reply;
  } else if (const std::string* strategy = parts.find("strategy")) {
    text = behind_first_line(*strategy);
    outcome_.unread.emplace_back("label");
  } else {
    text = parts.before;
    if (labelled) outcome_.unread.emplace_back("label");
  }
  text = bare_text(text);
  std::string untagged = text;
  if (strategy_of(leading_tag(untagged), strategies()) >= 0) text = bare_text(untagged);
  outcome_.finish = answer.finish;
  if (text.empty()) {
    outcome_.unread.emplace_back("reply");
  } else {
    outcome_.reply = std::move(text);
  }
}

void Scene::write(const std::string& piece, const prompt::Values& values) {
  static const dialogue::Strategy kNone;
  const auto& strategy = outcome_.strategy < 0 ? kNone : strategies()[outcome_.strategy];
  prompt::Values all = {{"strategy", strategy.name}, {"definition", strategy.definition}};
  all.insert(all.end(), values.begin(), values.end());
  take_reply(say(piece, all, stage_.config.sampling.max_tokens), /*labelled=*/false);
}

std::string Scene::write_note(const std::string& piece, const std::string& part) {
  const auto parts = cut_answer(say(piece, {}, stage_.config.note_tokens).text, answer_labels());
  const std::string* labelled = parts.find(part);
  std::string text = bare_text(labelled ? *labelled : parts.before);
  if (text.empty()) outcome_.unread.push_back(part);
  return text;
}

std::string Scene::part_of(const std::string& answer, const std::string& part) {
  const auto parts = cut_answer(answer, answer_labels());
  const std::string* labelled = parts.find(part);
  std::string text = labelled ? bare_text(first_line(*labelled)) : "";
  if (text.empty()) outcome_.unread.push_back(part);
  return text;
}

std::string Scene::draft(const DraftWording& wording, const prompt::Values& values) {
  if (by_scores()) {
    outcome_.strategy = pick_strategy(wording.choose, values, all_strategies());
    write(wording.write, values);
    return outcome_.reply;
  }
  const auto& config = stage_.config;
  const language::Reply& answer =
      say(wording.ask, values, config.sampling.max_tokens + config.line_tokens);
  const auto parts = cut_answer(answer.text, answer_labels());
  if (const std::string* strategy = parts.find("strategy")) {
    take_strategy(first_line(*strategy));
  } else {
    std::string text = bare_text(answer.text);
    take_strategy(parts.tag.empty() ? leading_tag(text) : parts.tag);
  }
  take_reply(answer, /*labelled=*/true);
  return answer.text;
}

}  // namespace straq::respond
