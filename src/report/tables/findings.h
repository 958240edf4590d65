// What the paper's own numbers say about each other: identities that its tables must keep, computed
// from configs/paper_reference.yaml and, where the results folder has a dataset.json, from the
// corpus. A reader who compares runs with the paper should know first which of its cells can be
// compared with.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tables/table.h"
#include "report/rows/paper_reference.h"
#include "results/results.h"

namespace straq::report {

// "findings": a row a check with what is printed, what follows and the verdict; "findings_noise":
// gaps of accuracy between neighbouring methods beside what one test split can tell apart;
// "findings_leak": leak_table. Checks whose numbers the reference lacks are left out; without any
// of the three the list is empty.
std::vector<Table> findings_tables(const results::Results& results, const PaperReference& paper);

// Runs that differ in nothing but `data.split` (official or sample_level) and the seed: the scores
// under each split over seeds, and their difference paired by seed. Nothing where no two runs do.
std::optional<Table> leak_table(const results::Results& results);

// Rewards-to-go with nothing after the last, rounded half up to one decimal at every step, as the
// paper's Table 6 was made.
std::vector<double> rounded_returns(const std::vector<double>& rewards, double gamma);

// The discounts of [0, 1] in steps of 0.001 that give all printed values of all sequences (rewards,
// values): the lowest and the highest; nothing when none does.
std::optional<std::pair<double, double>> fitting_discounts(
    const std::vector<std::pair<std::vector<double>, std::vector<double>>>& sequences);

}  // namespace straq::report
