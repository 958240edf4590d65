// What came of a corpus's decisions, where it stands in files beside the corpus: the seekers' own
// ratings and a judge's scores. Joined to the decisions before shards are made; what cannot be
// joined is told by file and line, for a reward that quietly lacks half of its scores is another
// reward.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialogue/dialogue.h"

namespace straq::dialogue {

struct Splits;
struct DataConfig;

// A file of outcomes: part of what decides on the content of shards.
struct OutcomeSource {
  std::string name;    // "ratings", "judgements"
  std::string sha256;  // of its bytes
  std::string path;    // for people
};

// How a file's rows went together with the decisions.
struct OutcomeJoin {
  std::int64_t rows = 0;
  std::int64_t joined = 0;     // decisions that have got a value
  std::int64_t elsewhere = 0;  // of dialogues that the config leaves out: another split, the limit
  std::int64_t undecided = 0;  // of supporter turns that are no decision (opening ones)
  std::int64_t unparsed = 0;   // judgements whose answer could not be read
  std::int64_t without = 0;    // decisions for which the file has no row
  std::vector<std::string> unmatched;  // "file:line: why", every row that names nothing there is
};

// Ratings, a JSON object a line: `split` (of an official split: its name or the stem of its file;
// else the stem of a source) with `dialogue`, its number from 0, or `dialogue` alone as an id;
// `after_utterance`, the number from 0 of the supporter utterance that the seeker rated; `feedback`
// from 1 to 5. The rating goes to the decision of the turn that the utterance was merged into, of
// several the last. Throws Error(input) with file and line for a line that is no such object, and
// when no row names anything in `splits`.
OutcomeJoin join_ratings(const std::string& path, const DataConfig& config, Splits& splits);

// Judgements, as a run folder's judge/ has them (docs/formats.md): `id`, `<dialogue>:<turn>`, and
// `overall` from 1 to 5, or `parsed: false`. Throws as join_ratings does, and for an id that comes
// twice.
OutcomeJoin join_judgements(const std::string& path, const DataConfig& config, Splits& splits);

// Both, where the config names them; notes the files in `splits` and logs how it went, with the
// first rows that could not be joined.
void join_outcomes(const DataConfig& config, Splits& splits);

}  // namespace straq::dialogue
