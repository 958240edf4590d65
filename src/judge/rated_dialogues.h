// Dialogues that people have rated, to hold a judge against: one JSON object a line, as
// data_tools/rated_dialogues.py writes them.
//
//   {"id":"d1","situation":"…","emotion":"…","turns":[{"speaker":"seeker","text":"…"}, …],
//    "ratings":{"expert1":{"empathy":4,"fluency":5}, …}}
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dialogue/dialogue.h"

namespace straq::judge {

struct RatedDialogue {
  dialogue::Episode episode;  // without decisions
  // Rater -> scale -> 1..5.
  std::vector<std::pair<std::string, std::map<std::string, double>>> ratings;
};

// Throws Error(input) with file and line for a line that is no such object, a speaker that is none,
// a rating outside 1..5, a dialogue without turns or ratings, an id that comes twice, and a file
// without dialogues.
std::vector<RatedDialogue> read_rated_dialogues(const std::string& path);

}  // namespace straq::judge
