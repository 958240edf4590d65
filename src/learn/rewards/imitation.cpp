#include "learn/rewards/imitation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/rng.h"

namespace straq::learn {

namespace {

// (Share of each action among the experts' actions)^power, one number an action.
std::vector<double> prior_weights(std::vector<double> taken, int strategies, double power) {
  taken.resize(static_cast<std::size_t>(strategies));
  double all = 0;
  for (const double n : taken) all += n;
  for (auto& n : taken) n = std::pow(n / std::max(all, 1.0), power);
  return taken;
}

// Any action but `except` (-1: any), each as likely.
int draw_any(int actions, int except, CounterRng& rng) {
  if (except < 0) return static_cast<int>(rng.below(static_cast<std::uint64_t>(actions)));
  const int action = static_cast<int>(rng.below(static_cast<std::uint64_t>(actions - 1)));
  return action + (action >= except ? 1 : 0);
}

// An action with probability proportional to its weight; never `except` (-1: any). Where no other
// action has any weight each of them is as likely.
int draw(const std::vector<double>& weights, int except, CounterRng& rng) {
  double sum = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    if (static_cast<int>(a) != except) sum += weights[a];
  }
  if (sum <= 0) return draw_any(static_cast<int>(weights.size()), except, rng);
  double left = rng.uniform() * sum;
  int last = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    if (static_cast<int>(a) == except || weights[a] <= 0) continue;
    last = static_cast<int>(a);
    left -= weights[a];
    if (left < 0) break;
  }
  return last;
}

}  // namespace

void NegativeConfig::fields(config::Fields& f) {
  f("ratio", ratio, config::between(0, 1000));
  f("reward", reward);
  f.choice("next", next, {{"same", NextState::same}, {"terminal", NextState::terminal}});
  f.choice("resample", resample, {{"epoch", Resample::epoch}, {"fixed", Resample::fixed}});
  f("exclude_expert", exclude_expert);
  f("prior_power", prior_power, config::between(0, 1));
}

std::unique_ptr<Reward> ImitationReward::clone() const {
  return std::make_unique<ImitationReward>(*this);
}

RewardFacts ImitationReward::facts() const {
  return {"imitation", "straq_imit", "straQ*-imit", /*imitation=*/true};
}

void ImitationReward::fields(config::Fields& f) {
  f("expert", expert);
}

void ImitationReward::sections(config::Fields& f) {
  f("neg", neg);
}

std::optional<IdleReason> ImitationReward::idle(const std::string& key, double gamma) const {
  if (key.rfind("neg.", 0) != 0 || key == "neg.ratio") return {};
  if (neg.ratio <= 0) {
    return IdleReason{"learn.neg.ratio is 0: no negatives are drawn",
                      "set learn.neg.ratio above 0"};
  }
  if (key == "neg.next" && gamma <= 0) {
    return IdleReason{"learn.gamma is 0: next states count for nothing", "set learn.gamma above 0"};
  }
  return {};
}

std::optional<double> ImitationReward::of_own_action(const prompt::Comb&, std::size_t) const {
  return expert;
}

double ImitationReward::largest_return(double gamma) const {
  if (gamma >= 1) return std::numeric_limits<double>::infinity();
  return std::max({1.0, std::abs(expert), std::abs(neg.reward)}) / (1 - gamma);
}

void ImitationReward::fit(const prompt::EachComb& train) {
  taken_.clear();
  if (neg.prior_power == 0) return;
  train([&](const prompt::Comb& comb) {
    for (const auto& d : comb.decisions) {
      const auto gold = static_cast<std::size_t>(d.gold);
      if (taken_.size() <= gold) taken_.resize(gold + 1);
      taken_[gold] += 1;
    }
  });
}

CombTransitions ImitationReward::transitions(int strategies, std::uint64_t seed) const {
  if (strategies < 2 && neg.exclude_expert && neg.ratio > 0) {
    fail_input("learn.neg: of one strategy there is no other that could be a negative",
               "set learn.neg.ratio to 0, or use a set of at least two strategies");
  }
  const bool uniform = neg.prior_power == 0;
  std::vector<double> weights;
  if (!uniform) weights = prior_weights(taken_, strategies, neg.prior_power);
  return [expert = expert, neg = neg, strategies, seed, uniform, weights](
             const prompt::Comb& comb, std::int64_t number, std::int32_t d, std::int64_t epoch,
             std::vector<Transition>& out) {
    const auto& decision = comb.decisions[static_cast<std::size_t>(d)];
    out.push_back({d, decision.gold, expert, !decision.terminal});
    const auto round = static_cast<std::uint64_t>(neg.resample == Resample::epoch ? epoch : 0);
    CounterRng rng(
        seed, "negatives",
        round << 40 ^ static_cast<std::uint64_t>(number) << 12 ^ static_cast<std::uint64_t>(d));
    // Of a ratio of 1.5 every second decision, by chance, has one negative more.
    const double whole = std::floor(neg.ratio);
    const bool more = neg.ratio > whole && rng.uniform() < neg.ratio - whole;
    for (int i = 0; i < static_cast<int>(whole) + (more ? 1 : 0); ++i) {
      const int except = neg.exclude_expert ? decision.gold : -1;
      const int action = uniform ? draw_any(strategies, except, rng) : draw(weights, except, rng);
      const bool continues = !decision.terminal && neg.next == NextState::same;
      out.push_back({d, action, neg.reward, continues});
    }
  };
}

double imitation_optimum(double p, int strategies, double gamma, double next_value) {
  const double k = strategies;
  return (k * p - 1) / ((k - 2) * p + 1) + gamma * next_value;
}

}  // namespace straq::learn
