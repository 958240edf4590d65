// A prompt template: the wording of the planner's prompt as pieces, read from configs/prompts.
// Wording is data, not code, because a planner is only usable with the exact text that it was
// trained on: the pieces' hash goes into every shard and every planner file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fields.h"

namespace straq::prompt {

struct OptionPieces {
  std::string heading, line, defined;
  void fields(config::Fields& f) {
    f.required("heading", heading);
    f.required("line", line);
    f.required("defined", defined);
  }
};

struct SituationPieces {
  std::string heading, emotion, problem, description;
  void fields(config::Fields& f) {
    f.required("heading", heading);
    f.required("emotion", emotion);
    f.required("problem", problem);
    f.required("description", description);
  }
};

struct HistoryPieces {
  std::string heading, seeker, supporter, tagged;
  void fields(config::Fields& f) {
    f.required("heading", heading);
    f.required("seeker", seeker);
    f.required("supporter", supporter);
    f.required("tagged", tagged);
  }
};

struct AnswerPieces {
  std::string bracket;  // before an option token without a leading blank: ends with a bracket
  std::string space;    // before an option token that begins with a blank
  void fields(config::Fields& f) {
    f.required("bracket", bracket);
    f.required("space", space);
  }
};

struct Template {
  std::string name, instruction, question;
  OptionPieces options;
  SituationPieces situation;
  HistoryPieces history;
  AnswerPieces answer;

  void fields(config::Fields& f) {
    f.required("name", name);
    f.required("instruction", instruction);
    f.required("options", options);
    f.required("situation", situation);
    f.required("history", history);
    f.required("question", question);
    f.required("answer", answer);
  }

  // Reads and checks a template. Throws Error(input) naming the file and the piece for a missing
  // or unknown key, an unknown placeholder, a placeholder that must be there and is not, a piece
  // that does not end with a newline (or an answer's lead that does), a piece that begins with
  // white space.
  static Template load(const std::string& path);
  // The same checks on pieces that came from elsewhere; `source` names them in errors.
  void check(const std::string& source) const;
};

// Values for placeholders, by name.
using Values = std::vector<std::pair<std::string_view, std::string_view>>;

// `piece` with every {name} replaced by its value, in one pass: what looks like a placeholder
// inside a value stays as it is. "{{" gives "{". Throws Error(input) for an unknown name or an open
// brace that is never closed.
std::string fill(std::string_view piece, const Values& values);

}  // namespace straq::prompt
