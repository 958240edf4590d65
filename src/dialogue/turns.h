// From utterances to decisions. How turns are merged and labelled decides how many decisions a
// corpus has (14,642 or 17,693 in ESConv), so it is done in one place, and the counts of every rule
// are tests.
#pragma once

#include <vector>

#include "dialogue/dialogue.h"

namespace straq::dialogue {

// Turns and decisions of a dialogue.
//  - MergeLabel::first and last: consecutive utterances of one speaker become one turn, joined with
//    one blank, labelled with the strategy of its first or last utterance.
//  - MergeLabel::none: every utterance is a turn.
// A decision stands at every supporter turn except one that opens the dialogue: nothing was said
// yet that it could answer (with `openings` it is one, too; of merge none only the first utterance
// of the dialogue opens it). It still counts as the `previous` of the next decision. A supporter
// turn without a strategy gives no decision, unless `unlabelled`: then its `gold` is -1 (corpora
// without strategies, where a planner is only asked). A seeker's feedback is the rating of the
// supporter turn before it, the last one where several stand between two supporter turns. The
// reward of a turn is the sum over its utterances that have one.
Episode build_episode(const Dialogue& dialogue, MergeLabel merge, bool unlabelled = false,
                      bool openings = false);

std::vector<Episode> build_episodes(const std::vector<Dialogue>& dialogues, MergeLabel merge,
                                    bool unlabelled = false, bool openings = false);

}  // namespace straq::dialogue
