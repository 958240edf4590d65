#include "judge/rated_dialogues.h"

#include <set>

#include "core/error.h"
#include "core/json/json_fields.h"
#include "dialogue/utf8.h"
#include "results/rows/json_lines.h"

namespace straq::judge {
namespace {

constexpr const char* kRatedHint = "write the file anew with data_tools/rated_dialogues.py";

struct RatedTurn {
  std::string speaker, text;
  void fields(JsonFields& f) {
    f("speaker", speaker);
    f("text", text);
    if (speaker != "seeker" && speaker != "supporter") {
      f.fail("speaker", "is \"" + speaker + "\", expected seeker or supporter");
    }
  }
};

struct RatedLine {
  std::string id, situation, emotion;
  std::vector<RatedTurn> turns;
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, double>>>> ratings;
  void fields(JsonFields& f) {
    f("id", id);
    f.unless_default("situation", situation);
    f.unless_default("emotion", emotion);
    f("turns", turns);
    f("ratings", ratings);
    if (turns.empty()) f.fail("turns", "has no turn");
    if (ratings.empty()) f.fail("ratings", "has no rater");
    for (const auto& [rater, scores] : ratings) {
      for (const auto& [scale, x] : scores) {
        if (!(x >= 1 && x <= 5)) f.fail("ratings", rater + ": " + scale + " must be from 1 to 5");
      }
    }
  }
};

}  // namespace

std::vector<RatedDialogue> read_rated_dialogues(const std::string& path) {
  std::vector<RatedDialogue> out;
  std::set<std::string> seen;
  results::for_each_row(path, kRatedHint, [&](JsonFields& fields) {
    RatedLine line;
    line.fields(fields);
    if (!seen.insert(line.id).second) fields.place().fail("the id \"" + line.id + "\" comes twice");
    RatedDialogue d;
    d.episode.id = line.id;
    d.episode.situation = dialogue::normalise_space(line.situation);
    d.episode.emotion = dialogue::normalise_space(line.emotion);
    for (const auto& t : line.turns) {
      dialogue::Turn turn;
      turn.speaker =
          t.speaker == "seeker" ? dialogue::Speaker::seeker : dialogue::Speaker::supporter;
      turn.text = dialogue::normalise_space(t.text);
      d.episode.turns.push_back(std::move(turn));
    }
    for (auto& [rater, scores] : line.ratings) {
      d.ratings.emplace_back(rater, std::map<std::string, double>(scores.begin(), scores.end()));
    }
    out.push_back(std::move(d));
  });
  if (out.empty()) fail_input(path + ": there is no dialogue in it", kRatedHint);
  return out;
}

}  // namespace straq::judge
