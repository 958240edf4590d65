// Files of replies, scored before the rows of tables are gathered from them: most of a report's
// time, and the files know nothing of each other, so every core takes one after another.
#pragma once

#include <exception>
#include <map>
#include <string>
#include <vector>

#include "metrics/response_report.h"
#include "report/rows/method_rows.h"
#include "results/layout.h"
#include "results/results.h"
#include "results/rows/replies.h"

namespace straq::report {

struct ReplyScores {
  int replicates = 0;              // of a bootstrap that the report makes itself for this file
  metrics::ResponseReport report;  // the stored scores where there are some
  std::map<std::string, metrics::ResponseSums> sums;  // by dialogue
  std::exception_ptr failure;                         // instead of the scores

  // Throws what scoring threw.
  const ReplyScores& checked() const;
};

// By file; the files are those of a Results that outlives this.
using ScoredReplies = std::map<const results::ReplyFile*, ReplyScores>;

// All files of the test split, in the order of their runs: the first `options.thorough` of them
// without stored scores get all replicates. The result does not depend on the number of cores.
ScoredReplies score_replies(const results::Results& results, const MethodOptions& options = {});

// Which split a file's rows are of.
std::string split_of(const results::MethodInfo& info);
// True when a file's rows are of the test split, whose replies the tables of methods are about.
bool of_test_split(const results::MethodInfo& info);
// "x/replies responses/fsm.jsonl (train)", for a note on a ReplyFile or JudgeFile of `run`; `kind`
// is its folder.
template <class File>
std::string named_with_split(const results::Run& run, const std::string& kind, const File& file) {
  return run.name() + " " + kind + "/" + file.name + results::kRows + " (" + split_of(file.info) +
         ")";
}

}  // namespace straq::report
