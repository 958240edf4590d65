#include "dialogue/episode_json.h"

namespace straq::dialogue {

// Lists rather than objects: thousands of turns need no thousands of key names.
nlohmann::json to_json(const Episode& episode) {
  auto turns = nlohmann::json::array(), decisions = nlohmann::json::array();
  for (const Turn& t : episode.turns) {
    turns.push_back({t.speaker == Speaker::supporter, t.text, t.strategy, t.strategies});
  }
  const auto or_null = [](const std::optional<double>& x) {
    return x ? nlohmann::json(*x) : nlohmann::json();
  };
  for (const Decision& d : episode.decisions) {
    decisions.push_back(
        {d.turn, d.gold, d.previous, d.terminal, d.rating, or_null(d.judge), or_null(d.reward)});
  }
  return {{"id", episode.id},
          {"emotion", episode.emotion},
          {"problem", episode.problem},
          {"situation", episode.situation},
          {"turns", std::move(turns)},
          {"decisions", std::move(decisions)},
          {"intensity", {episode.initial_intensity, episode.final_intensity}}};
}

Episode episode_from_json(const nlohmann::json& json) {
  Episode out;
  json.at("id").get_to(out.id);
  json.at("emotion").get_to(out.emotion);
  json.at("problem").get_to(out.problem);
  json.at("situation").get_to(out.situation);
  for (const auto& t : json.at("turns")) {
    Turn turn;
    turn.speaker = t.at(0).get<bool>() ? Speaker::supporter : Speaker::seeker;
    t.at(1).get_to(turn.text);
    t.at(2).get_to(turn.strategy);
    t.at(3).get_to(turn.strategies);
    out.turns.push_back(std::move(turn));
  }
  for (const auto& d : json.at("decisions")) {
    Decision decision{.turn = d.at(0).get<int>(),
                      .gold = d.at(1).get<int>(),
                      .previous = d.at(2).get<int>(),
                      .terminal = d.at(3).get<bool>(),
                      .rating = d.at(4).get<int>(),
                      .judge = std::nullopt,
                      .reward = std::nullopt};
    if (!d.at(5).is_null()) decision.judge = d.at(5).get<double>();
    if (!d.at(6).is_null()) decision.reward = d.at(6).get<double>();
    out.decisions.push_back(decision);
  }
  json.at("intensity").at(0).get_to(out.initial_intensity);
  json.at("intensity").at(1).get_to(out.final_intensity);
  return out;
}

}  // namespace straq::dialogue
