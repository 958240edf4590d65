// Differences between two settings that were trained with several seeds each. A difference that
// dialogues uphold may still be a matter of the seeds that were drawn, so where both settings have
// three seeds or more, seeds are drawn too: a crossed bootstrap, in which a replicate draws whole
// dialogues for both settings and, of each setting's n seeds, n - 1 with replacement. (Drawing n
// would make the variance of a mean too small by (n - 1) / n; Rao and Wu 1988.) A handful
// of seeds cannot show the tails of their distribution whatever is drawn of them, so the bootstrap
// gives the standard error, and interval and p are Student's t with Satterthwaite's degrees of
// freedom, of which few seeds leave few.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/paired.h"
#include "metrics/statistics.h"

namespace straq::metrics {

// Below this number of seeds a spread over them says nothing.
inline constexpr int kFewestSeeds = 3;

struct SeededDifference {
  std::string metric;
  double a = 0, b = 0;               // means over seeds of each seed's own number
  double difference = 0;             // a - b
  std::optional<Interval> interval;  // none of one dialogue
  double p = 1;                      // two-sided
  bool over_seeds = false;           // dialogues and seeds were drawn; else dialogues alone
  double standard_error = 0;         // of the bootstrap
  double degrees = 0;                // of freedom; 0: none were needed
  std::int64_t dialogues = 0;
};

struct SeededOptions {
  int permutations = 9999;  // of the test over dialogues alone
  BootstrapOptions bootstrap;
  // The two settings' seeds are the same ones in the same order: a replicate draws them together.
  bool shared_seeds = false;
};

// `a` and `b`: what each seed adds up to on each dialogue, [seed][dialogue], all on the same
// dialogues. With fewer than kFewestSeeds on a side dialogues alone are drawn: the interval is the
// percentile one, p that of exchanging the two settings in whole dialogues, all seeds together,
// where they have equally many, else twice the share of replicates beyond 0. Throws Error(input)
// where the sizes do not fit or are 0.
template <class Sums>
std::vector<SeededDifference> seeded_differences(const std::vector<std::vector<Sums>>& a,
                                                 const std::vector<std::vector<Sums>>& b,
                                                 const std::vector<std::string>& metrics,
                                                 const ScoreAll<Sums>& score, const Sums& nothing,
                                                 const SeededOptions& options);

// Whether the means of two settings' numbers by seed differ: Student's t of the differences where
// they have the same seeds, else Welch's. Two-sided p; nothing below kFewestSeeds on a side.
std::optional<double> seeds_p(const std::map<std::string, double>& a,
                              const std::map<std::string, double>& b);

// Two-sided p of Student's t.
double student_t_p(double t, double degrees);

extern template std::vector<SeededDifference> seeded_differences<CountMatrix>(
    const std::vector<std::vector<CountMatrix>>&, const std::vector<std::vector<CountMatrix>>&,
    const std::vector<std::string>&, const ScoreAll<CountMatrix>&, const CountMatrix&,
    const SeededOptions&);
extern template std::vector<SeededDifference> seeded_differences<ResponseSums>(
    const std::vector<std::vector<ResponseSums>>&, const std::vector<std::vector<ResponseSums>>&,
    const std::vector<std::string>&, const ScoreAll<ResponseSums>&, const ResponseSums&,
    const SeededOptions&);
extern template std::vector<SeededDifference> seeded_differences<MeanSums>(
    const std::vector<std::vector<MeanSums>>&, const std::vector<std::vector<MeanSums>>&,
    const std::vector<std::string>&, const ScoreAll<MeanSums>&, const MeanSums&,
    const SeededOptions&);

}  // namespace straq::metrics
