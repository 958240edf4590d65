// What policies are worth in a simulated world, as files beside its corpus.
//
//   values.json                 returns of the policies below, exact or played
//   values/gamma-<gamma>.jsonl  V*, Q* and the optimal strategy of every state that can be reached
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/tables/table.h"
#include "simulate/play.h"
#include "simulate/simulator.h"

namespace straq::simulate {

struct ValueOptions {
  double gamma = 1;                    // by which returns are counted; policies plan with it, too
  std::vector<double> gammas = {1.0};  // of values/gamma-<gamma>.jsonl
  PlayOptions play;                    // of the policies that see words
};

struct PolicyReturn {
  std::string policy;  // "optimum", "point_based", …
  std::string sees;    // "state", "words", "nothing"
  Mean value;          // expected return; the standard error of an exact one is 0
  double share = 0;    // of the optimum's
  bool exact = true;
};

struct ValueReport {
  ValueOptions options;
  // From what sees most to what sees least, at last who plans nothing.
  std::vector<PolicyReturn> policies;
  // Bounds of what any reader of the words can reach: of the point-based policy from below, of
  // whoever sees the state from above.
  double words_lower = 0, words_upper = 0;

  const PolicyReturn& of(const std::string& policy) const;
  // The best that reads the words.
  const PolicyReturn& reference() const;
};

// optimum            the best policy that sees the state
// qmdp, point_based  act on the exact belief (belief.h, point_based.h)
// fixed_plan         the best that listens to nothing (fixed_plan.h)
// supporter          the corpus's own, as it draws its strategies
// likeliest          its likeliest strategy: what imitation would learn at best
// greedy             the greatest reward at once
// uniform            all strategies alike
ValueReport value_report(const Simulator& simulator, const ValueOptions& options);

nlohmann::ordered_json to_json(const ValueReport& report);
Table table(const ValueReport& report);
// Writes values.json and values/ into `folder`. Throws Error(failure) where it cannot.
void write_values(const Simulator& simulator, const ValueReport& report, const std::string& folder);
// Removes both; other files stay.
void remove_values(const std::string& folder);

}  // namespace straq::simulate
