// What the Q values themselves say (the readable counterpart of the paper's Table 4): how large
// they are, and whether they order decisions as the discounted rewards do.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metrics/predictions.h"

namespace straq {
class JsonFields;
}

namespace straq::metrics {

// Reward-to-go G_t = r_t + gamma * G_{t+1}, with G = 0 after the last reward.
std::vector<double> discounted_returns(std::span<const double> rewards, double gamma);

// Fills mc_return of every row from a reward a decision, dialogue by dialogue in order of `index`.
// A dialogue whose reward is missing (nullopt) somewhere gets no returns at all from there
// backwards: a sum with a hole in it is no return.
void fill_returns(std::span<Prediction> rows, double gamma,
                  const std::function<std::optional<double>(const Prediction&)>& reward);

struct ValueReport {
  std::int64_t n = 0;           // decisions with finite Q values
  std::int64_t non_finite = 0;  // decisions left out because a Q was not finite
  double mean_max_q = 0;
  std::optional<double> mean_chosen_q;  // over rows with a valid choice
  double mean_gold_q = 0;
  std::optional<double> gamma;            // of the returns
  std::optional<double> mean_return;      // over rows that have one
  std::optional<double> spearman_chosen;  // Q(chosen) against the return
  std::optional<double> spearman_gold;    // Q(gold) against the return

  void fields(JsonFields& f);
  nlohmann::ordered_json to_json() const;
};

// Empty when no row has Q values (a method without them).
std::optional<ValueReport> value_report(std::span<const Prediction> rows,
                                        std::optional<double> gamma = {});

}  // namespace straq::metrics
