#include "dialogue/turns.h"

namespace straq::dialogue {

Episode build_episode(const Dialogue& dialogue, MergeLabel merge, bool unlabelled, bool openings) {
  Episode episode;
  episode.id = dialogue.id;
  episode.emotion = dialogue.emotion;
  episode.problem = dialogue.problem;
  episode.situation = dialogue.situation;
  episode.initial_intensity = dialogue.initial_intensity;
  episode.final_intensity = dialogue.final_intensity;
  std::vector<int> ratings;                    // of every turn
  std::vector<std::optional<double>> rewards;  // of every turn
  std::size_t answered = 0;                    // 1 + the last supporter turn; 0: none yet
  for (const Utterance& u : dialogue.utterances) {
    if (u.speaker == Speaker::seeker && u.feedback > 0 && answered > 0) {
      ratings[answered - 1] = u.feedback;
    }
    if (merge != MergeLabel::none && !episode.turns.empty() &&
        episode.turns.back().speaker == u.speaker) {
      Turn& turn = episode.turns.back();
      turn.text += " " + u.text;
      if (u.reward) rewards.back() = rewards.back().value_or(0) + *u.reward;
      if (u.speaker == Speaker::supporter) {
        turn.strategies.push_back(u.strategy);
        if (merge == MergeLabel::last) turn.strategy = u.strategy;
      }
      continue;
    }
    Turn turn;
    turn.speaker = u.speaker;
    turn.text = u.text;
    if (u.speaker == Speaker::supporter) {
      turn.strategy = u.strategy;
      turn.strategies = {u.strategy};
    }
    episode.turns.push_back(std::move(turn));
    ratings.push_back(0);
    rewards.push_back(u.reward);
    if (u.speaker == Speaker::supporter) answered = episode.turns.size();
  }

  int previous = -1;
  for (std::size_t i = 0; i < episode.turns.size(); ++i) {
    const Turn& turn = episode.turns[i];
    if (turn.speaker != Speaker::supporter) continue;
    if ((i > 0 || openings) && (turn.strategy >= 0 || unlabelled)) {
      episode.decisions.push_back({static_cast<int>(i), turn.strategy, previous, false, ratings[i],
                                   std::nullopt, rewards[i]});
    }
    previous = turn.strategy;
  }
  if (!episode.decisions.empty()) episode.decisions.back().terminal = true;
  return episode;
}

std::vector<Episode> build_episodes(const std::vector<Dialogue>& dialogues, MergeLabel merge,
                                    bool unlabelled, bool openings) {
  std::vector<Episode> out;
  out.reserve(dialogues.size());
  for (const Dialogue& d : dialogues) out.push_back(build_episode(d, merge, unlabelled, openings));
  return out;
}

}  // namespace straq::dialogue
