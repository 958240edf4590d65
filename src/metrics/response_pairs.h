// What the response metrics score: pairs of a hypothesis (the reply that a method wrote) and one or
// more references (what the human supporter said there), and the files that they come from. Kept
// apart from the metrics so that anyone's files can be scored, with or without a run of ours.
//
// Two forms, told by what a file holds; all files of one call have the same form. Tables, JSON that
// is printed over many lines and lists of anything but rows are refused by name, never taken for
// prose.
//  - text: one reply a line, line i of the hypotheses belongs to line i of every reference file.
//  - rows: JSON, one object a line (*.jsonl) or one list of objects, each with "id" (text or whole
//  number); the reply is "hypothesis" or
//    "text" in a hypothesis file, and "reference", "references" (a list) or "text" in a reference
//    file. A hypothesis row may hold its own "reference" or "references": a file of its own is then
//    not needed. "dialogue", "strategy" and "emotion" are optional; where both files have one, the
//    reference file's counts, for it describes what the human did. Other keys are ignored.
#pragma once

#include <string>
#include <vector>

namespace straq::metrics {

struct ResponsePair {
  std::string id;  // the row's id; of a text file its line number
  std::string hypothesis;
  std::vector<std::string> references;  // one at least
  std::string dialogue;                 // the unit of resampling; empty when unknown
  std::string strategy, emotion;        // subsets to report by; empty: in no subset
};

// Pairs in the order of the hypothesis file. An empty hypothesis is kept (a method may fail to
// answer); an empty reference is refused, for nothing can match it. Throws Error(input) with file
// and line for files without a row, different numbers of lines, ids that are missing on one side or
// come twice, wrong types, ill-formed UTF-8, and a "dialogue" that only some rows have.
std::vector<ResponsePair> read_responses(const std::string& hypotheses,
                                         const std::vector<std::string>& references);

}  // namespace straq::metrics
