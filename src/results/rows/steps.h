// What a run writes while it trains, a line at a time: metrics.jsonl (an optimizer step),
// timings.jsonl (its seconds) and evaluations.jsonl (a look at the validation split). They are read
// while they grow, and of runs that died: a line that is none is passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/strategy_metrics.h"
#include "results/rows/reply_loss.h"

namespace straq {
class JsonFields;
}

namespace straq::results {

// A mean over nothing is absent. Numbers that are not finite are null in the file.
struct MetricsRow {
  std::int64_t step = 0;  // of the run, from 1, through all stages
  std::string stage;
  std::optional<std::int64_t> epoch;
  std::optional<double> loss;
  std::optional<double> td_loss, td_abs, q_mean, target_mean;  // of transitions
  std::optional<double> ce_loss, lm_loss, cql_loss, kl_loss;
  std::optional<double> max_q, grad_norm, lr;
  std::optional<double> decisions, tokens;  // whole numbers
  std::optional<bool> skipped;              // true: the update was left out
  void fields(JsonFields& f);
};

// Seconds of a step.
struct TimingsRow {
  std::int64_t step = 0;
  std::optional<double> seconds;  // with `plan`
  std::optional<double> plan;     // waiting for the batch that a thread prepares
  std::optional<double> target, forward, backward, reduce, optimizer;
  void fields(JsonFields& f);
};

// An evaluation during training; fractions.
struct ValidationRow {
  std::int64_t step = 0;
  std::string stage, split;
  std::int64_t decisions = 0;
  metrics::StrategyScores scores;         // of a planner
  bool best = false;                      // the last stage has not scored better before
  std::optional<ReplyLoss> replies = {};  // of a responder, in place of scores
  void fields(JsonFields& f);
};

// A row as its line, without the newline.
std::string line_of(const MetricsRow& row);
std::string line_of(const TimingsRow& row);
std::string line_of(const ValidationRow& row);

// One line of metrics.jsonl with the step's seconds of timings.jsonl.
struct Step : MetricsRow {
  std::optional<double> seconds;
};

// The steps of metrics.jsonl's text. Lines that are no steps are left out and become problems with
// their line.
std::vector<Step> read_steps(const std::string& path, std::string_view text,
                             std::vector<std::string>& problems);
// The seconds of timings.jsonl's text into the steps of the same number; a line that is none is
// left out without a word, for only a figure misses it.
void add_timings(std::string_view text, std::vector<Step>& steps);
// The lines of evaluations.jsonl's text, as read_steps.
std::vector<ValidationRow> read_validations(const std::string& path, std::string_view text,
                                            std::vector<std::string>& problems);

// The last whole rows of a file that may be growing, at most `count`, newest last. Reads no more
// than the file's end; nothing of a file that is not there.
std::vector<MetricsRow> last_metrics(const std::string& path, std::size_t count);
std::vector<TimingsRow> last_timings(const std::string& path, std::size_t count);

// Keeps the lines of a JSON lines file whose `step` is at most `step`; whatever follows the first
// later or broken line goes. Returns the last step kept (0: none). A missing file stays missing.
std::int64_t cut_after(const std::string& path, std::int64_t step);

}  // namespace straq::results
