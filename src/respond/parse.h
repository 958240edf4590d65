// What a model has written, taken apart by rules that stand here and nowhere else. Models that
// cannot keep to a form are part of what is measured: what no rule reads is counted as unread, and
// nothing is asked again until it fits.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dialogue/strategy.h"

namespace straq::respond {

// Words that may open a part of an answer: "Reply: …" and "Response: …" are both the reply.
struct PartLabel {
  std::string part;
  std::vector<std::string> words;
};

// Emotion, strategy and reply as methods ask for them, and the seeker's own lines, which end what
// stands before them.
const std::vector<PartLabel>& answer_labels();

struct AnswerParts {
  // The first text of each part; the text goes to the next label.
  std::map<std::string, std::string> parts;
  std::string before;  // the text in front of the first label
  std::string tag;     // of "Supporter (Question): …", the words in brackets
  const std::string* find(const std::string& part) const;
};

// Cuts an answer at its labels. A label is one of the words and a colon, at the beginning of a line
// in any case and behind marks of lists, headings and emphasis, or within a line behind a blank and
// written as it stands here; brackets may stand between word and colon.
AnswerParts cut_answer(const std::string& text, const std::vector<PartLabel>& labels);

// The strategy that a few words name, -1 where they name none or several, by the first of these
// that holds: they are a name, an abbreviation or an alias; they are that behind a number ("(3) …",
// "3. …"); exactly one strategy's name or alias stands in them as whole words, longer names going
// before those inside them; they begin with the number of a strategy, from 1.
int strategy_of(const std::string& words, const dialogue::StrategySet& strategies);

// The first of the numbers `low` to `high` that stands by itself: not part of a longer number, a
// fraction ("4/5" is 4, the 5 behind a slash is none) or a decimal.
std::optional<int> number_of(const std::string& text, int low, int high);

// Yes or no, by the first word that is one of them.
std::optional<bool> verdict_of(const std::string& text);

// The place in `names` of the one name that stands in the text, as strategy_of finds it.
int name_of(const std::string& text, const std::vector<std::string>& names);

// One line without marks of emphasis and quotation marks around it.
std::string bare_text(const std::string& text);

}  // namespace straq::respond
