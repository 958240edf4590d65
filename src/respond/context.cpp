#include "respond/context.h"

#include <algorithm>
#include <numeric>

#include "prompt/template.h"
#include "respond/wording.h"

namespace straq::respond {
namespace {

void add_line(std::string& out, const std::string& piece, const prompt::Values& values = {}) {
  if (piece.empty()) return;
  out += prompt::fill(piece, values) + "\n";
}

}  // namespace

void ContextWording::Strategies::fields(config::Fields& f) {
  piece(f, "heading", heading);
  piece(f, "line", line, {"number", "name", "definition"}, {"number", "name"});
}

void ContextWording::Background::fields(config::Fields& f) {
  piece(f, "heading", heading);
  piece(f, "emotion", emotion, {"emotion"}, {"emotion"});
  piece(f, "problem", problem, {"problem"}, {"problem"});
  piece(f, "situation", situation, {"situation"}, {"situation"});
}

void ContextWording::History::fields(config::Fields& f) {
  piece(f, "heading", heading);
  piece(f, "seeker", seeker, {"text"}, {"text"});
  piece(f, "supporter", supporter, {"text"}, {"text"});
  piece(f, "tagged", tagged, {"text", "strategy"}, {"text", "strategy"});
  piece(f, "query", query);
}

void ContextWording::fields(config::Fields& f) {
  piece(f, "role", role);
  f.required("strategies", strategies);
  optional_piece(f, "examples", examples);
  f.required("background", background);
  f.required("history", history);
}

ContextWording ContextWording::load(const std::string& path) {
  return config::read<ContextWording>(config::load_config(path));
}

void ContextConfig::fields(config::Fields& f) {
  f.choice("order", order, {{"shared", ContextOrder::shared}, {"paper", ContextOrder::paper}});
  f("emotion", emotion);
  f("problem", problem);
  f("situation", situation);
  f("history_strategy", history_strategy);
  f("turns", turns, config::between(0, 1e6));
}

std::string strategy_lines(const ContextWording& wording, const dialogue::StrategySet& strategies,
                           const std::vector<int>& shown) {
  std::string out;
  for (const int s : shown) {
    add_line(out, wording.strategies.line,
             {{"number", std::to_string(s + 1)},
              {"name", strategies[s].name},
              {"definition", strategies[s].definition}});
  }
  return out;
}

std::string background_lines(const ContextWording& wording, const ContextConfig& config,
                             const dialogue::Episode& episode) {
  const auto& b = wording.background;
  std::string out;
  if (config.emotion && !episode.emotion.empty()) {
    add_line(out, b.emotion, {{"emotion", episode.emotion}});
  }
  if (config.problem && !episode.problem.empty()) {
    add_line(out, b.problem, {{"problem", episode.problem}});
  }
  if (config.situation && !episode.situation.empty()) {
    add_line(out, b.situation, {{"situation", episode.situation}});
  }
  return out.empty() ? out : b.heading + "\n" + out;
}

int first_shown(const ContextConfig& config, int turn) {
  return config.turns == 0 ? 0 : std::max(0, turn - static_cast<int>(config.turns));
}

std::string history_lines(const ContextWording& wording, const ContextConfig& config,
                          const dialogue::StrategySet& strategies, const dialogue::Episode& episode,
                          int first, int end) {
  const auto& h = wording.history;
  std::string out;
  for (int i = first; i < end && i < static_cast<int>(episode.turns.size()); ++i) {
    const auto& turn = episode.turns[static_cast<std::size_t>(i)];
    if (turn.speaker == dialogue::Speaker::seeker) {
      add_line(out, h.seeker, {{"text", turn.text}});
    } else if (config.history_strategy && turn.strategy >= 0) {
      add_line(out, h.tagged, {{"text", turn.text}, {"strategy", strategies[turn.strategy].name}});
    } else {
      add_line(out, h.supporter, {{"text", turn.text}});
    }
  }
  return out;
}

std::vector<language::Message> context_of(const ContextWording& wording,
                                          const ContextConfig& config,
                                          const dialogue::StrategySet& strategies,
                                          const dialogue::Episode& episode, int turn) {
  std::vector<int> all(static_cast<std::size_t>(strategies.size()));
  std::iota(all.begin(), all.end(), 0);
  std::string options =
      wording.strategies.heading + "\n" + strategy_lines(wording, strategies, all);
  if (!wording.examples.empty()) options += "\n" + wording.examples + "\n";
  const std::string background = background_lines(wording, config, episode);
  const std::string parted = background.empty() ? "" : background + "\n";
  const int first = first_shown(config, turn);
  if (config.order == ContextOrder::shared) {
    return {{"system", wording.role + "\n\n" + without_line_end(options)},
            {"user", parted + wording.history.heading + "\n" +
                         history_lines(wording, config, strategies, episode, first, turn)}};
  }
  // The query is the seeker's turn just before; where there is none the history is all there is.
  const bool answers = turn > first && episode.turns[static_cast<std::size_t>(turn - 1)].speaker ==
                                           dialogue::Speaker::seeker;
  std::string text =
      wording.role + "\n\n" + parted + wording.history.heading + "\n" +
      history_lines(wording, config, strategies, episode, first, answers ? turn - 1 : turn);
  if (answers) {
    text += "\n" + wording.history.query + "\n" +
            episode.turns[static_cast<std::size_t>(turn - 1)].text + "\n";
  }
  return {{"user", text + "\n" + options}};
}

std::string seeker_mark(const ContextWording& wording) {
  const std::string& line = wording.history.seeker;
  return without_line_end(line.substr(0, line.find("{text}")));
}

}  // namespace straq::respond
