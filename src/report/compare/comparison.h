// Two settings or runs that somebody chose, compared by every metric that both have: difference,
// interval and p over dialogues and, where both have several training seeds, over seeds as well
// (metrics/seeds.h).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"
#include "metrics/seeds.h"
#include "report/rows/method_rows.h"

namespace straq::report {

// One side: a row with all its seeds, or one run of it.
struct Side {
  const MethodRow* row = nullptr;
  std::string seed;  // of a single run; empty: all of the row's
  std::string title;
};

// The side that a word names: the user's name of a point, a row's title or method ("straq_imit",
// "sft/direct"), "<experiment>/<name>", an experiment with one row, or a run. `what` begins the
// message: "--compare". Throws Error(input) with what there is where nothing or more than one row
// is called so.
Side find_side(const Methods& methods, const std::string& word, const std::string& what);

// Whether a word names a row, in any of these ways but as a run.
bool is_called(const MethodRow& row, const std::string& word);

// What --compare and --proposed take here.
std::vector<std::string> side_names(const Methods& methods);

// The numbers of two sides by one kind of sums, for every metric of it that tables show; empty
// where a side has none of them or they share no dialogue. `left_out`: dialogues that one of the
// two lacks.
struct SideDifferences {
  std::vector<metrics::SeededDifference> metrics;
  std::size_t left_out = 0;
  int seeds_a = 0, seeds_b = 0;
  bool shared_seeds = false;
};
SideDifferences compare_sides(const Side& a, const Side& b, metrics::SumsOf kind);

// A row for each metric of each pair. No rows where there are no pairs.
using Pairs = std::vector<std::pair<std::string, std::string>>;
Table compare_table(const Methods& methods, const Pairs& pairs);

}  // namespace straq::report
