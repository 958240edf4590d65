#include "results/scales.h"

namespace straq::results {

const std::vector<Scale>& rating_scales() {
  static const std::vector<Scale> kScales = {
      {"fluency",
       "Fluency",
       "Does it read like something a careful writer would say?",
       {"cannot be made out", "broken in several places, half of it is clear",
        "clear on the whole, with slips that one trips over", "smooth but for a small slip",
        "nothing to correct"}},
      {"emotion",
       "Emotion",
       "Is the feeling that it carries the right one, and of the right strength?",
       {"the wrong feeling for this moment", "much too flat or much too strong",
        "a fitting feeling, but a thin one", "fitting, and about as strong as it should be",
        "exactly the tone that this moment needs"}},
      {"acceptance",
       "Acceptance",
       "Would the seeker take it without bristling?",
       {"they would certainly bristle", "they probably would", "they might", "they hardly would",
        "nothing in it could put them off"}},
      {"effectiveness",
       "Effectiveness",
       "Would it help the seeker to feel or cope better?",
       {"it would make things worse", "it could add to the strain", "it would change nothing",
        "it could ease things, though not everything in it is easy to use",
        "it would ease things and gives something to hold on to"}},
      {"sensitivity",
       "Sensitivity",
       "Does it see the state that the seeker is in?",
       {"it gets that state wrong", "it judges before it knows enough",
        "it sees one side of it only", "it sees most of it",
        "it sees all of it and answers to it"}},
      {"alignment",
       "Alignment",
       "Does it do what the named strategy says?",
       {"it does the opposite", "it does something else", "it is unclear which strategy it follows",
        "it follows the strategy for the most part", "it plainly follows the strategy"}},
      {"satisfaction",
       "Satisfaction",
       "All in all, how content would the seeker be with this turn?",
       {"let down", "little content: much of what was asked is left open",
        "neither content nor let down", "content", "more than they hoped for"}},
      {"interesting",
       "Interesting",
       "Does it make one want to go on talking?",
       {"it ends the conversation", "dull", "neither dull nor lively",
        "it has a thought or a phrase of its own", "one wants to answer at once"},
       false}};
  return kScales;
}

const Scale* find_scale(const std::string& key) {
  for (const auto& s : rating_scales()) {
    if (key == s.key) return &s;
  }
  return nullptr;
}

}  // namespace straq::results
