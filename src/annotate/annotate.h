// Ratings by people: replies out of a results folder onto blinded sheets, filled sheets back into
// it. Three things decide whether such ratings are worth anything, and all are made here and not by
// hand: raters cannot see which method wrote a reply, every method is rated equally often by every
// rater at every position, and a sheet that is unfinished, double or somebody else's is refused
// instead of averaged.
//
//   OUT/form.html           one form that works from disk, without a network, and saves a sheet
//   OUT/sheets/<rater>.csv  the same items for a spreadsheet
//   OUT/guide.md            the scales
//   OUT/key.json            which method each item is; raters must not get it
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json/json_fields.h"
#include "results/results.h"

namespace straq::annotate {

struct ExportOptions {
  std::string results;               // the folder that holds the replies
  std::string out;                   // where to write; must not hold an earlier export
  std::vector<std::string> raters;   // names, or r1 … rN
  std::vector<std::string> methods;  // "fsm" or "sft/fsm"; empty: all that have replies
  // Whose replies are taken where several runs have a method's: "gamma/g0.85-1" as the report names
  // runs, or one file of a run, "gamma/g0.85-1/responses/straq_imit.jsonl".
  std::vector<std::string> runs;
  bool human = true;  // the corpus's own replies are rated too
  std::string corpus = "esconv";
  std::int64_t decisions = 30;  // at which replies are rated, drawn at random
  int raters_per_decision = 2;  // of each decision, who rate all methods' replies there
  std::uint64_t seed = 1;
};

// One reply under its blind code.
struct RatingItem {
  std::string code;    // "k3f7q"
  std::string source;  // index of `sources`, as key.json has it: "1"
  std::string id, dialogue;
  std::string strategy;  // that the reply is meant to follow
  std::string context;   // the dialogue up to here, a line a turn
  std::string reply;
};

// A file of replies that items are from, and where ratings of them go.
struct RatingSource {
  std::string run;   // folder below the results folder
  std::string name;  // responses/<name>.jsonl, human/<name>.jsonl
  std::string method, responder, corpus;
  std::string replies;  // the file that they were read from, below the results folder

  void fields(JsonFields& f) {
    f("run", run);
    f("name", name);
    f("method", method);
    f("responder", responder);
    f("corpus", corpus);
    f.maybe("replies", replies);
  }
};

struct RatingPlan {
  std::vector<RatingSource> sources;
  std::map<std::string, RatingItem> items;                   // by code
  std::map<std::string, std::vector<std::string>> assigned;  // rater -> codes, in sheet order
  std::vector<std::string> left_out;  // decisions or methods that cannot be rated, and why
  std::uint64_t seed = 0;
};

// Draws decisions to which every chosen method replied, as few as possible of one dialogue, gives
// each to `raters_per_decision` raters in turn, and lays the methods' replies at a decision side by
// side in an order that rotates, so that over a sheet every method stands at every position equally
// often (within one). The same seed gives the same plan. Throws Error(input) when no method has
// replies, a named one has none, several runs have a method's and it is not said which is meant, no
// decision has replies of all, or there are fewer raters than raters_per_decision.
RatingPlan plan_ratings(const results::Results& results, const ExportOptions& options);

// Writes all files of a plan. Throws Error(input) when `out` already holds a key: sheets that are
// with raters would lose their meaning.
void write_rating_files(const RatingPlan& plan, const std::string& out);

// A sheet as CSV: rater, item, position, context, strategy, reply, a column a scale, comment.
std::string rating_sheet(const RatingPlan& plan, const std::string& rater);
// The form, self-contained.
std::string rating_form(const RatingPlan& plan);

struct ImportOptions {
  std::string key;                  // key.json of the export
  std::vector<std::string> sheets;  // filled CSV files
  std::string results;
  bool replace = false;  // ratings of an earlier import
};

struct ImportResult {
  std::vector<std::string> files;   // written, below the results folder
  std::vector<std::string> absent;  // raters whose sheets were not given
  std::int64_t ratings = 0;
};

// Checks every sheet against the key, then writes human/<name>.jsonl and .json into the runs that
// the replies are from. Throws Error(input) naming sheet, row and reason for each of: an unknown
// rater, a rater's second sheet, an item that is unknown, another rater's or comes twice, a missing
// item, an empty score, and one that is no whole number from 1 to 5 (up to twenty problems at once;
// nothing is written). Raters without a sheet are left out and reported.
ImportResult import_ratings(const ImportOptions& options);

}  // namespace straq::annotate
