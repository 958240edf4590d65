// What the methods wrote and how it was judged, as a run folder holds it:
//
//   responses/<name>.jsonl        a row a decision: what the method replied there
//   responses/<name>.json         optional: about the file (method, responder, corpus, …)
//   responses/<name>.score.json   optional: what `straq score --format json` says of the rows
//   judge/<name>.jsonl            a row a decision: a judge model's scores of the reply
//   judge/<name>.json             optional: about the judging (judge, temperature, …)
//   human/<name>.jsonl            the same rows by people, with a `rater`
//
// docs/formats.md lists the fields. A table needs the rows and not the corpus or the model.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/evaluation.h"
#include "metrics/predictions.h"
#include "metrics/response_pairs.h"
#include "metrics/response_report.h"

namespace straq {
class JsonFields;
}

namespace straq::results {

// What <name>.json says; without that file the method is the file's name and the rest is empty.
struct MethodInfo {
  std::string method;     // "direct", "cot", "fsm", "straq_imit", "human", …
  std::string responder;  // "base", "sft", or a name of one's own; empty: does not matter
  std::string corpus;     // "esconv", "empathetic", …; empty: the run's own
  std::string split;      // empty: test
  std::string seed;       // empty: the run's own
  std::vector<metrics::StrategyLabel> strategies;  // empty: those of the run's evaluation.json
  // The whole file, for the run's page; when writing, what else is to stand in it.
  nlohmann::ordered_json about;
  void fields(JsonFields& f);
};

struct Reply {
  std::string id;        // "<dialogue>:<turn>", as in predictions
  std::string dialogue;  // the unit of resampling
  std::string strategy;  // the human supporter's; empty: the corpus has none
  std::string emotion;
  std::optional<std::string> chosen;  // the method's; "" when its output named none
  std::string hypothesis, reference;
  std::string query;  // what the seeker said just before; for the case study
  // How the method came to it (`straq respond`); all optional.
  std::string finish = {};  // of the reply: "stop", "length" or "failed"
  std::string error = {};   // why it failed
  // Parts of its answers that could not be read: "strategy", "reply", …
  std::vector<std::string> unread = {};
  // Of all its requests.
  std::optional<std::int64_t> requests = {}, prompt_tokens = {}, reply_tokens = {};
  // What it said on the way, by step: emotion, stage, feedback, a first draft.
  std::vector<std::pair<std::string, std::string>> notes = {};
  void fields(JsonFields& f);
};

struct ReplyFile {
  std::string name, path;
  MethodInfo info;
  std::vector<Reply> rows;
  std::optional<metrics::ResponseReport> score;  // of <name>.score.json

  std::vector<metrics::ResponsePair> pairs() const;
  // Strategy choices, when every row says what was chosen and `labels` has all names. Strategies
  // match by name or abbreviation without case; a `chosen` that is none of them counts as
  // unreadable, an unknown `strategy` throws Error(input) naming the file and the row.
  std::optional<std::vector<metrics::Prediction>> choices(
      const std::vector<metrics::StrategyLabel>& labels) const;
};

struct Judgement {
  std::string id, dialogue;
  std::string strategy;                  // of the judged reply; optional
  std::string rater;                     // of human ratings
  bool parsed = true;                    // false: the judge's answer could not be read
  std::optional<double> overall;         // the reward, 1..5; nothing when not parsed
  std::map<std::string, double> scores;  // dimension -> 1..5
  // Behind `overall`, of a judge model (`straq judge`); all optional.
  std::optional<double> expected = {};  // mean of 1..5 by the options' probabilities
  std::optional<int> integer = {};      // the option that it names, or the most probable one
  std::optional<double> mass = {};      // the probability that all options have together
  std::optional<double> reversed = {};  // `expected` with the scale read out from 5 to 1
  // Of the judged text: longer replies may be liked for that.
  std::optional<std::int64_t> words = {};
  std::string explanation = {};
  std::string error = {};  // of a row that is not parsed: why
  void fields(JsonFields& f);

 private:
  void check(const JsonFields& f) const;
};

// The method of files that hold no replies of a method but dialogues which people have rated: such
// a pair judge/<name>.jsonl and human/<name>.jsonl says how far the judge agrees with people.
inline constexpr const char* kCalibrationMethod = "calibration";

struct JudgeFile {
  std::string name, path;
  MethodInfo info;
  std::vector<Judgement> rows;
  std::size_t unparsed() const;
  bool calibrates() const { return info.method == kCalibrationMethod; }
};

// Each throws Error(input) with file and line for a line that is no such object, a score outside
// 1..5, an id that comes twice (with the same rater), or a half-written last line; read_replies
// also for a score that is not of these rows: all its metrics are computed again (without
// intervals).
ReplyFile read_replies(const std::string& path);
JudgeFile read_judgements(const std::string& path);

// Write <name>.json from `info` and then the rows, each file whole or not at all.
void write_replies(const std::string& path, const MethodInfo& info, const std::vector<Reply>& rows);
void write_judgements(const std::string& path, const MethodInfo& info,
                      const std::vector<Judgement>& rows);

}  // namespace straq::results
