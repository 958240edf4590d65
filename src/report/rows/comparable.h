// The tests behind tables: what one side of a paired test has, by dialogue, how two sides compare,
// and which of several stands out. Methods, human ratings and whatever else has sums by dialogue
// are compared here and nowhere else.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "metrics/metric.h"
#include "metrics/paired.h"
#include "report/rows/estimate.h"

namespace straq::report {

// Sums by dialogue, added up over seeds; what a side lacks stays empty.
struct Comparable {
  metrics::CountsOf counts;                           // of choices
  int count_seeds = 0;                                // runs that `counts` adds up
  std::map<std::string, metrics::ResponseSums> sums;  // of replies
  int sum_seeds = 0;
  std::map<std::string, metrics::MeanSums> rewards;  // of scores
  std::set<metrics::SumsOf> uneven;                  // of which the seeds have other dialogues
  // The same by seed.
  std::map<std::string, metrics::CountsOf> counts_of_seed;
  std::map<std::string, std::map<std::string, metrics::ResponseSums>> sums_of_seed;
  std::map<std::string, std::map<std::string, metrics::MeanSums>> rewards_of_seed;
};

// Paired difference of two sides on their shared dialogues for a metric that is tested; nothing
// when one of them lacks the metric's sums or their dialogues differ.
std::optional<metrics::PairedDifference> compare(const Comparable& a, const Comparable& b,
                                                 const metrics::Metric& metric, bool interval);
// The same of every metric that rests on the same sums as `metric`; empty instead of nothing.
std::vector<metrics::PairedDifference> compare_all(const Comparable& a, const Comparable& b,
                                                   const metrics::Metric& metric, bool interval);

// One side in a ranking by a metric.
struct Contender {
  const Comparable* data = nullptr;
  std::optional<double> value;  // of the metric; nothing: it has none and is not ranked
  bool swept = false;           // a setting of a sweep, which gives way where there are too many
  bool unread = false;          // its choices were not read: too many runs
  // The metric by seed, for the test over seeds; null: there is none.
  const std::map<std::string, double>* by_seed = nullptr;
};

// Comparison of the rows of one block by one metric: who is best, and what the tests say of it. The
// best is emphasised only where its lead over the second stands after Holm's correction, over
// dialogues and, where both have three seeds or more, over seeds too; else all that it cannot be
// told apart from are marked, with which of the two tests says so. B is never ranked: a planner
// that draws at random has the lowest.
//
// Only rows with sums on the same dialogues can be compared: those that most of them share, and of
// equally many those with the best value. A row that cannot be compared stays without a mark and
// does not keep the others from being tested; `left_out` says why. Of more than kMostRanked rows
// the settings of sweeps are left out.
inline constexpr std::size_t kMostRanked = 24;
// Why rows on one dialogue are not tested: there is nothing to exchange or to draw.
inline constexpr const char* kOneDialogue = "one dialogue alone, which no test can take";
struct Ranking {
  std::vector<Emphasis> emphasis;     // one a row
  std::vector<std::string> left_out;  // one a row: why no test took it; empty: tested, or no value
  bool tested = false;                // false: no test was possible, nothing is emphasised
  bool over_seeds = false;            // some rows were tested over seeds too
};
Ranking rank(const std::vector<Contender>& rows, const metrics::Metric& metric);

// What rows may be ranked by, by its key or by the one it had before. Throws Error(input) for the
// bias with the reason, and for what is no metric that tables rank by.
const metrics::Metric& rankable_metric(const std::string& word);

}  // namespace straq::report
