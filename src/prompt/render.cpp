#include "prompt/render.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "config/value.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/rng.h"

namespace straq::prompt {

std::vector<std::string> option_labels(OptionTokens kind, int count) {
  const bool digits = kind == OptionTokens::digit;
  const int most = digits ? 9 : 26;
  if (count > most) {
    fail_input("prompt.options.tokens: " + std::to_string(count) + " strategies, but " +
                   (digits ? "digits label 9" : "letters label 26") + " at most",
               digits ? "set prompt.options.tokens to letter" : "use fewer strategies");
  }
  std::vector<std::string> labels;
  for (int i = 0; i < count; ++i) {
    labels.emplace_back(1, static_cast<char>(digits ? '1' + i : 'A' + i));
  }
  return labels;
}

OptionOrder shuffled_options(const std::string& dialogue, int strategies) {
  OptionOrder order(static_cast<std::size_t>(strategies));
  std::iota(order.begin(), order.end(), 0);
  CounterRng rng(std::stoull(sha256_hex(dialogue).substr(0, 16), nullptr, 16), "options");
  shuffle(order, rng);
  return order;
}

Renderer::Renderer(const PromptConfig& config, Template pieces, std::string source,
                   const dialogue::StrategySet& strategies)
    : config_(config),
      pieces_(std::move(pieces)),
      source_(std::move(source)),
      strategies_(strategies) {
  pieces_.check(source_);
  const int k = strategies_.size();
  labels_ = option_labels(config_.options.tokens, k);
  const std::string count = std::to_string(k);

  for (const auto& label : labels_) {
    answers_.push_back((config_.options.leading_space ? " " : "") + label);
  }
  question_ = fill(pieces_.question,
                   {{"count", count}, {"first", labels_.front()}, {"last", labels_.back()}});
  lead_ = fill(config_.options.leading_space ? pieces_.answer.space : pieces_.answer.bracket, {});
  header_ = header({});
  probe_ = probe({});

  nlohmann::ordered_json all;
  all["rendering"] = 1;  // raise it when the code below renders the same pieces differently
  all["pieces"] = config::to_json(config::dump(pieces_));
  all["pieces"].erase("name");  // a name shapes no text
  config::Value settings = config::dump(config_);
  all["config"] = config::to_json(settings);
  all["config"].erase("template");  // where the pieces lay does not matter
  all["config"].erase("window");    // kept beside the fingerprint
  for (int i = 0; i < k; ++i) {
    all["strategies"].push_back({strategies_[i].name, strategies_[i].abbreviation,
                                 config_.options.definitions ? strategies_[i].definition : ""});
  }
  fingerprint_ = sha256_hex(all.dump());
}

std::string Renderer::options(const OptionOrder& order) const {
  const std::string count = std::to_string(strategies_.size());
  std::string out = fill(pieces_.options.heading, {{"count", count}});
  for (int i = 0; i < strategies_.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto& s = strategies_[order.empty() ? i : order[at]];
    const bool define = config_.options.definitions && !s.definition.empty();
    out += fill(define ? pieces_.options.defined : pieces_.options.line,
                {{"label", labels_[at]},
                 {"name", s.name},
                 {"abbreviation", s.abbreviation},
                 {"definition", s.definition}});
  }
  return out;
}

std::vector<std::string> Renderer::header(const OptionOrder& order) const {
  const std::string instruction =
      fill(pieces_.instruction, {{"count", std::to_string(strategies_.size())}});
  if (config_.layout == Layout::paper) return {instruction};
  // The question is the same at every decision, so it is asked once, before the dialogue: a probe
  // is then the few tokens of the answer's lead.
  return {instruction, options(order), question_};
}

std::vector<std::string> Renderer::probe(const OptionOrder& order) const {
  if (config_.layout == Layout::comb) return {lead_};
  return {options(order), question_ + lead_};
}

std::string Renderer::situation(const dialogue::Episode& episode) const {
  std::string known;
  const auto line = [&](const std::string& piece, std::string_view name, const std::string& value) {
    if (!value.empty()) known += fill(piece, {{name, value}});
  };
  line(pieces_.situation.emotion, "emotion", episode.emotion);
  if (config_.problem_type) line(pieces_.situation.problem, "problem", episode.problem);
  line(pieces_.situation.description, "situation", episode.situation);
  if (!known.empty()) known = fill(pieces_.situation.heading, {}) + known;
  return known + fill(pieces_.history.heading, {});
}

std::string Renderer::turn(const dialogue::Turn& turn, const OptionOrder& order) const {
  if (turn.speaker == dialogue::Speaker::seeker) {
    return fill(pieces_.history.seeker, {{"text", turn.text}});
  }
  if (!config_.show_strategy || turn.strategy < 0) {
    return fill(pieces_.history.supporter, {{"text", turn.text}});
  }
  const auto& s = strategies_[turn.strategy];
  const auto place = std::find(order.begin(), order.end(), turn.strategy) - order.begin();
  const auto label = order.empty() ? turn.strategy : place;
  return fill(pieces_.history.tagged, {{"text", turn.text},
                                       {"strategy", s.name},
                                       {"abbreviation", s.abbreviation},
                                       {"label", labels_.at(static_cast<std::size_t>(label))}});
}

std::vector<std::string> fixed_texts(const PromptConfig& config, const Template& pieces,
                                     const dialogue::StrategySet& strategies) {
  const Renderer renderer(config, pieces, config.template_path, strategies);
  std::vector<std::string> out = renderer.header();
  out.insert(out.end(), renderer.probe().begin(), renderer.probe().end());
  const std::string question = out.back();
  out.pop_back();
  for (const auto& answer : renderer.answers()) out.push_back(question + answer);
  // A filler stands where dialogues differ.
  dialogue::Episode episode;
  episode.emotion = episode.problem = episode.situation = "x";
  out.push_back(renderer.situation(episode));
  dialogue::Turn turn{dialogue::Speaker::seeker, "x", -1, {}};
  out.push_back(renderer.turn(turn));
  turn.speaker = dialogue::Speaker::supporter;
  for (turn.strategy = 0; turn.strategy < strategies.size(); ++turn.strategy) {
    out.push_back(renderer.turn(turn));
  }
  return out;
}

}  // namespace straq::prompt
