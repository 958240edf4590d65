#include "simulate/point_based.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace straq::simulate {
namespace {

// What a turn says in kind: the stage that it sounds like, the intensity (or that it tells none),
// and the reaction to the turn before (better, same, worse or none).
constexpr int told_levels = intensity_levels + 1;
constexpr int words_count = stage_count * told_levels;
constexpr int reaction_count = 4;
using WordsChances = std::array<double, words_count>;

double dot(const HiddenWeights& a, const HiddenWeights& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

bool scale_to_one(HiddenWeights& w) {
  const double sum = std::accumulate(w.begin(), w.end(), 0.0);
  if (sum <= 0) return false;
  for (double& x : w) x /= sum;
  return true;
}

}  // namespace

// The dynamics as a process that is heard in kind.
struct PointBasedPolicy::Model {
  const Dynamics& dynamics;
  std::array<WordsChances, hidden_count> words{};                // [now]
  std::array<std::array<double, reaction_count>, 3> reaction{};  // [change + 1]

  explicit Model(const Simulator& simulator) : dynamics(simulator.dynamics()) {
    const WordingConfig& wording = simulator.wording();
    const ShownTable shown = shown_given_hidden(wording.noise);
    for (std::size_t h = 0; h < hidden_count; ++h) {
      for (int k = 0; k < hidden_count; ++k) {
        const double p = shown[h][static_cast<std::size_t>(k)];
        const int stage = static_cast<int>(hidden_stage(k)) * told_levels;
        words[h][static_cast<std::size_t>(stage + hidden_intensity(k) - 1)] +=
            p * wording.intensity_told;
        words[h][static_cast<std::size_t>(stage + intensity_levels)] +=
            p * (1 - wording.intensity_told);
      }
    }
    for (std::size_t change = 0; change < 3; ++change) {
      reaction[change][change] = wording.reaction;
      reaction[change][3] = 1 - wording.reaction;
    }
  }

  // By reaction: the weight of each state after an action, the dialogue going on.
  std::array<HiddenWeights, reaction_count> moved(const Belief& b, int action) const {
    std::array<HiddenWeights, reaction_count> out{};
    for (int h = 0; h < hidden_count; ++h) {
      const double p = b.p[static_cast<std::size_t>(h)];
      if (p == 0) continue;
      for (const auto& t : dynamics.transition(b.state(h), action)) {
        if (t.next.terminal()) continue;
        const int change = t.next.intensity - hidden_intensity(h);
        const auto now = static_cast<std::size_t>(hidden_index(t.next.stage, t.next.intensity));
        for (std::size_t r = 0; r < reaction_count; ++r) {
          out[r][now] += p * t.probability * reaction[static_cast<std::size_t>(change + 1)][r];
        }
      }
    }
    return out;
  }
  HiddenWeights heard(const HiddenWeights& weights, std::size_t what) const {
    HiddenWeights out{};
    for (std::size_t h = 0; h < hidden_count; ++h) out[h] = weights[h] * words[h][what];
    return out;
  }
  // What is heard in a state.
  std::size_t draw_words(int hidden, CounterRng& rng) const {
    const WordsChances& w = words[static_cast<std::size_t>(hidden)];
    return rng.categorical({w.begin(), w.end()});
  }
};

std::vector<double> qmdp_q(const Values& best, const Belief& belief) {
  std::vector<double> out(static_cast<std::size_t>(best.dynamics().action_count()), 0);
  for (int h = 0; h < hidden_count; ++h) {
    const double p = belief.p[static_cast<std::size_t>(h)];
    if (p == 0) continue;
    const auto q = best.q(belief.state(h));
    for (std::size_t a = 0; a < out.size(); ++a) out[a] += p * q[a];
  }
  return out;
}

int qmdp_choice(const Values& best, const Belief& belief) {
  const auto q = qmdp_q(best, belief);
  return static_cast<int>(std::max_element(q.begin(), q.end()) - q.begin());
}

PointBasedPolicy::PointBasedPolicy(const Simulator& simulator, double gamma,
                                   const PointBasedOptions& options)
    : actions_(simulator.dynamics().action_count()),
      gamma_(gamma),
      best_(optimal_values(simulator.dynamics(), gamma)) {
  const Dynamics& dynamics = simulator.dynamics();
  const Model model(simulator);
  cells_.resize(static_cast<std::size_t>(dynamics.max_turns() * (actions_ + 1)));
  std::vector<std::vector<HiddenWeights>> points(cells_.size());
  collect(model, options, points);
  for (int turn = dynamics.max_turns(); turn-- > 0;) {
    for (int previous = -1; previous < actions_; ++previous) {
      const auto at = static_cast<std::size_t>(turn * (actions_ + 1) + previous + 1);
      Cell& made = cells_[at];
      for (const auto& p : points[at]) {
        const Belief b{previous, turn, p};
        Vector v = backed_up(model, b);
        const bool known = std::any_of(made.begin(), made.end(), [&](const Vector& other) {
          return other.action == v.action && other.value == v.value;
        });
        if (!known) made.push_back(std::move(v));
      }
    }
  }
  for (const auto& t : dynamics.start()) upper_ += t.probability * best_.value(t.next);
  // The first words are heard before the first decision.
  for (int opening = -1; opening < actions_; ++opening) {
    double probability = 0;
    for (const auto& t : dynamics.start()) {
      if (t.next.previous == opening) probability += t.probability;
    }
    if (probability == 0) continue;
    const Belief start = belief_at_start(dynamics, opening);
    for (std::size_t w = 0; w < words_count; ++w) {
      Belief b{opening, 0, model.heard(start.p, w)};
      const double p = std::accumulate(b.p.begin(), b.p.end(), 0.0);
      if (!scale_to_one(b.p)) continue;
      lower_ += probability * p * value(b);
    }
  }
}

// Beliefs of dialogues with somebody who mostly acts well, at times at random, so that beliefs
// after any strategy are among them.
void PointBasedPolicy::collect(const Model& model, const PointBasedOptions& options,
                               std::vector<std::vector<HiddenWeights>>& points) const {
  const Dynamics& dynamics = model.dynamics;
  for (int i = 0; i < options.dialogues; ++i) {
    CounterRng rng(options.seed, "point-based", static_cast<std::uint64_t>(i));
    State s = dynamics.sample_start(rng);
    Belief b = belief_at_start(dynamics, s.previous);
    b.p = model.heard(b.p, model.draw_words(hidden_index(s.stage, s.intensity), rng));
    while (!s.terminal() && scale_to_one(b.p)) {
      auto& known = points[static_cast<std::size_t>(s.turn * (actions_ + 1) + s.previous + 1)];
      if (known.size() < static_cast<std::size_t>(options.points)) known.push_back(b.p);
      const int action = rng.uniform() < options.random
                             ? static_cast<int>(rng.below(static_cast<std::uint64_t>(actions_)))
                             : qmdp_choice(best_, b);
      const auto moved = model.moved(b, action);
      const State next = dynamics.step(s, action, rng);
      if (next.terminal()) break;
      const auto& chances =
          model.reaction[static_cast<std::size_t>(next.intensity - s.intensity + 1)];
      const std::size_t reaction = rng.categorical({chances.begin(), chances.end()});
      b = {action, next.turn,
           model.heard(moved[reaction],
                       model.draw_words(hidden_index(next.stage, next.intensity), rng))};
      s = next;
    }
  }
}

// The best plan at a belief: an action, then for everything that may be heard the best of the
// plans that are known for the turn after.
PointBasedPolicy::Vector PointBasedPolicy::backed_up(const Model& model,
                                                     const Belief& belief) const {
  const Dynamics& dynamics = model.dynamics;
  const bool last = belief.turn + 1 >= dynamics.max_turns();
  Vector out;
  double best = -std::numeric_limits<double>::infinity();
  for (int a = 0; a < actions_; ++a) {
    // [reaction][now]: what is to come, expected over the words.
    std::array<HiddenWeights, reaction_count> ahead{};
    if (!last) {
      const Cell& next = cell(a, belief.turn + 1);
      const auto moved = model.moved(belief, a);
      for (std::size_t r = 0; r < reaction_count; ++r) {
        for (std::size_t w = 0; w < words_count; ++w) {
          const HiddenWeights weights = model.heard(moved[r], w);
          const Vector* chosen = nullptr;
          double most = -std::numeric_limits<double>::infinity();
          for (const auto& v : next) {
            const double value = dot(weights, v.value);
            if (value > most) most = value, chosen = &v;
          }
          if (chosen == nullptr) continue;  // never visited there: nothing is claimed of it
          for (std::size_t h = 0; h < hidden_count; ++h) {
            ahead[r][h] += model.words[h][w] * chosen->value[h];
          }
        }
      }
      if (next.empty()) continue;
    }
    Vector v;
    v.action = a;
    for (int h = 0; h < hidden_count; ++h) {
      double sum = 0;
      const State s = belief.state(h);
      for (const auto& t : dynamics.transition(s, a)) {
        double value = dynamics.reward(s, a, t.next);
        if (!t.next.terminal()) {
          const auto change = static_cast<std::size_t>(t.next.intensity - s.intensity + 1);
          const auto now = static_cast<std::size_t>(hidden_index(t.next.stage, t.next.intensity));
          for (std::size_t r = 0; r < reaction_count; ++r) {
            value += gamma_ * model.reaction[change][r] * ahead[r][now];
          }
        }
        sum += t.probability * value;
      }
      v.value[static_cast<std::size_t>(h)] = sum;
    }
    if (const double value = dot(belief.p, v.value); value > best) {
      best = value;
      out = v;
    }
  }
  return out;
}

int PointBasedPolicy::choice(const Belief& belief) const {
  const Cell& plans = cell(belief.previous, belief.turn);
  if (plans.empty()) return qmdp_choice(best_, belief);
  const auto it =
      std::max_element(plans.begin(), plans.end(), [&](const Vector& x, const Vector& y) {
        return dot(belief.p, x.value) < dot(belief.p, y.value);
      });
  return it->action;
}

double PointBasedPolicy::value(const Belief& belief) const {
  double most = -std::numeric_limits<double>::infinity();
  for (const auto& v : cell(belief.previous, belief.turn)) {
    most = std::max(most, dot(belief.p, v.value));
  }
  return most;
}

}  // namespace straq::simulate
