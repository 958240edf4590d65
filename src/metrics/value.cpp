#include "metrics/value.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/json/json_fields.h"
#include "metrics/statistics.h"

namespace straq::metrics {
namespace {

std::optional<double> finite(double x) {
  return std::isfinite(x) ? std::optional<double>(x) : std::nullopt;
}

std::optional<double> mean_of(const std::vector<double>& x) {
  if (x.empty()) return std::nullopt;
  double sum = 0;
  for (double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

}  // namespace

std::vector<double> discounted_returns(std::span<const double> rewards, double gamma) {
  std::vector<double> out(rewards.size());
  double next = 0;
  for (std::size_t i = rewards.size(); i-- > 0;) out[i] = next = rewards[i] + gamma * next;
  return out;
}

void fill_returns(std::span<Prediction> rows, double gamma,
                  const std::function<std::optional<double>(const Prediction&)>& reward) {
  std::map<std::string, std::vector<Prediction*>> dialogues;
  for (auto& row : rows) dialogues[row.dialogue].push_back(&row);
  for (auto& [id, decisions] : dialogues) {
    std::sort(decisions.begin(), decisions.end(),
              [](const auto* a, const auto* b) { return a->index < b->index; });
    std::optional<double> next = 0.0;
    for (auto it = decisions.rbegin(); it != decisions.rend(); ++it) {
      const std::optional<double> r = reward(**it);
      next = r && next ? std::optional<double>(*r + gamma * *next) : std::nullopt;
      (*it)->mc_return = next;
    }
  }
}

std::optional<ValueReport> value_report(std::span<const Prediction> rows,
                                        std::optional<double> gamma) {
  ValueReport v;
  v.gamma = gamma;
  std::vector<double> max_q, chosen_q, gold_q, returns;
  std::vector<double> paired_chosen, returns_chosen, paired_gold, returns_gold;
  for (const auto& row : rows) {
    if (row.mc_return && std::isfinite(*row.mc_return)) returns.push_back(*row.mc_return);
    if (row.q.empty()) continue;
    if (!std::all_of(row.q.begin(), row.q.end(), [](double q) { return std::isfinite(q); })) {
      ++v.non_finite;
      continue;
    }
    max_q.push_back(*std::max_element(row.q.begin(), row.q.end()));
    gold_q.push_back(row.q.at(static_cast<std::size_t>(row.gold)));
    const bool has_return = row.mc_return && std::isfinite(*row.mc_return);
    if (has_return) {
      paired_gold.push_back(gold_q.back());
      returns_gold.push_back(*row.mc_return);
    }
    if (row.chosen >= 0) {
      chosen_q.push_back(row.q.at(static_cast<std::size_t>(row.chosen)));
      if (has_return) {
        paired_chosen.push_back(chosen_q.back());
        returns_chosen.push_back(*row.mc_return);
      }
    }
  }
  if (max_q.empty() && v.non_finite == 0) return std::nullopt;
  v.n = static_cast<std::int64_t>(max_q.size());
  v.mean_max_q = mean_of(max_q).value_or(0);
  v.mean_chosen_q = mean_of(chosen_q);
  v.mean_gold_q = mean_of(gold_q).value_or(0);
  v.mean_return = mean_of(returns);
  v.spearman_chosen = finite(spearman(paired_chosen, returns_chosen));
  v.spearman_gold = finite(spearman(paired_gold, returns_gold));
  return v;
}

void ValueReport::fields(JsonFields& f) {
  f("n", n);
  f("non_finite", non_finite);
  f("mean_max_q", mean_max_q);
  f.or_null("mean_chosen_q", mean_chosen_q);
  f("mean_gold_q", mean_gold_q);
  f.or_null("gamma", gamma);
  f.or_null("mean_return", mean_return);
  f.or_null("spearman_chosen", spearman_chosen);
  f.or_null("spearman_gold", spearman_gold);
}

nlohmann::ordered_json ValueReport::to_json() const {
  return write_json(*this);
}

}  // namespace straq::metrics
