#include "dialogue/turns.h"

namespace straq::dialogue {

Episode build_episode(const Dialogue& dialogue, MergeLabel merge, bool unlabelled) {
  Episode episode;
  episode.id = dialogue.id;
  episode.emotion = dialogue.emotion;
  episode.problem = dialogue.problem;
  episode.situation = dialogue.situation;
  for (const Utterance& u : dialogue.utterances) {
    if (merge != MergeLabel::none && !episode.turns.empty() &&
        episode.turns.back().speaker == u.speaker) {
      Turn& turn = episode.turns.back();
      turn.text += " " + u.text;
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
  }

  int previous = -1;
  for (std::size_t i = 0; i < episode.turns.size(); ++i) {
    const Turn& turn = episode.turns[i];
    if (turn.speaker != Speaker::supporter) continue;
    if (i > 0 && (turn.strategy >= 0 || unlabelled)) {
      episode.decisions.push_back({static_cast<int>(i), turn.strategy, previous, false});
    }
    previous = turn.strategy;
  }
  if (!episode.decisions.empty()) episode.decisions.back().terminal = true;
  return episode;
}

std::vector<Episode> build_episodes(const std::vector<Dialogue>& dialogues, MergeLabel merge,
                                    bool unlabelled) {
  std::vector<Episode> out;
  out.reserve(dialogues.size());
  for (const Dialogue& d : dialogues) out.push_back(build_episode(d, merge, unlabelled));
  return out;
}

}  // namespace straq::dialogue
