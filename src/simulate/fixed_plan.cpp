#include "simulate/fixed_plan.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "simulate/belief.h"
#include "simulate/values.h"

namespace straq::simulate {
namespace {

// What a strategy does to a belief whose dialogue goes on, once for all beliefs of a turn: rewards
// and moves by hidden state. They depend on whether the strategy repeats the one before.
struct Move {
  HiddenWeights reward{};
  std::array<HiddenWeights, hidden_count> to{};  // [from][to], what ends is left out
};

class Search {
 public:
  Search(const Dynamics& dynamics, double gamma)
      : dynamics_(dynamics), gamma_(gamma), best_(optimal_values(dynamics, gamma)) {
    for (int turn = 0; turn < dynamics.max_turns(); ++turn) {
      for (int repeats = 0; repeats <= 1; ++repeats) {
        for (int a = 0; a < dynamics.action_count(); ++a) moves_.push_back(move(turn, repeats, a));
      }
    }
  }

  // The best sequence from the belief at a start; its weights may sum to anything.
  std::pair<double, std::vector<int>> run(const Belief& start) {
    plan_.assign(static_cast<std::size_t>(dynamics_.max_turns()), 0);
    best_plan_ = plan_;
    best_value_ = climb(start);
    descend(start.p, start.previous, 0, 0.0, 1.0);
    return {best_value_, best_plan_};
  }
  std::int64_t expanded() const { return expanded_; }

 private:
  Move move(int turn, int repeats, int action) const {
    Move out;
    for (int h = 0; h < hidden_count; ++h) {
      const State s{hidden_stage(h), hidden_intensity(h), repeats ? action : -1, turn,
                    Outcome::ongoing};
      const auto from = static_cast<std::size_t>(h);
      out.reward[from] = dynamics_.reward(s, action);
      for (const auto& t : dynamics_.transition(s, action)) {
        if (t.next.terminal()) continue;
        out.to[from][static_cast<std::size_t>(hidden_index(t.next.stage, t.next.intensity))] +=
            t.probability;
      }
    }
    return out;
  }
  const Move& move_of(int turn, int previous, int action) const {
    const int repeats = previous == action ? 1 : 0;
    return moves_[static_cast<std::size_t>((turn * 2 + repeats) * dynamics_.action_count() +
                                           action)];
  }
  static HiddenWeights after(const HiddenWeights& p, const Move& m) {
    HiddenWeights out{};
    for (std::size_t h = 0; h < hidden_count; ++h) {
      if (p[h] == 0) continue;
      for (std::size_t k = 0; k < hidden_count; ++k) out[k] += p[h] * m.to[h][k];
    }
    return out;
  }
  static double dot(const HiddenWeights& a, const HiddenWeights& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  double value_of(const Belief& start, const std::vector<int>& plan) const {
    HiddenWeights p = start.p;
    double value = 0, discount = 1;
    int previous = start.previous;
    for (int turn = 0; turn < dynamics_.max_turns(); ++turn, discount *= gamma_) {
      const Move& m = move_of(turn, previous, plan[static_cast<std::size_t>(turn)]);
      value += discount * dot(p, m.reward);
      p = after(p, m);
      previous = plan[static_cast<std::size_t>(turn)];
    }
    return value;
  }

  // A good plan to begin with: change two neighbouring turns at a time until nothing is gained.
  double climb(const Belief& start) {
    double value = value_of(start, best_plan_);
    for (bool gained = true; gained;) {
      gained = false;
      for (std::size_t t = 0; t < best_plan_.size(); ++t) {
        const std::size_t u = std::min(t + 1, best_plan_.size() - 1);
        std::vector<int> other = best_plan_;
        for (int a = 0; a < dynamics_.action_count(); ++a) {
          for (int b = 0; b < dynamics_.action_count(); ++b) {
            other[t] = a;
            other[u] = b;
            const double v = value_of(start, other);
            if (v <= value + 1e-12) continue;
            value = v;
            best_plan_ = other;
            gained = true;
          }
        }
      }
    }
    return value;
  }

  void descend(const HiddenWeights& p, int previous, int turn, double value, double discount) {
    ++expanded_;
    if (turn == dynamics_.max_turns()) {
      if (value > best_value_) {
        best_value_ = value;
        best_plan_ = plan_;
      }
      return;
    }
    // Most promising first: a good plan found early cuts the others off.
    std::vector<std::pair<double, int>> order;
    for (int a = 0; a < dynamics_.action_count(); ++a) {
      double bound = 0;
      for (int h = 0; h < hidden_count; ++h) {
        const double w = p[static_cast<std::size_t>(h)];
        if (w == 0) continue;
        bound +=
            w *
            best_.q({hidden_stage(h), hidden_intensity(h), previous, turn, Outcome::ongoing}, a);
      }
      order.emplace_back(value + discount * bound, a);
    }
    std::sort(order.begin(), order.end(), [](const auto& x, const auto& y) {
      return x.first != y.first ? x.first > y.first : x.second < y.second;
    });
    for (const auto& [bound, a] : order) {
      if (bound <= best_value_ + 1e-12) break;
      const Move& m = move_of(turn, previous, a);
      plan_[static_cast<std::size_t>(turn)] = a;
      descend(after(p, m), a, turn + 1, value + discount * dot(p, m.reward), discount * gamma_);
    }
  }

  const Dynamics& dynamics_;
  double gamma_;
  Values best_;
  std::vector<Move> moves_;  // [turn][repeats][action]
  std::vector<int> plan_, best_plan_;
  double best_value_ = 0;
  std::int64_t expanded_ = 0;
};

}  // namespace

int FixedPlan::action(int opening, int turn) const {
  for (const auto& [strategy, sequence] : sequences) {
    if (strategy == opening) return sequence.at(static_cast<std::size_t>(turn));
  }
  throw std::logic_error("FixedPlan: no dialogue opens like this");
}

FixedPlan best_fixed_plan(const Dynamics& dynamics, double gamma) {
  FixedPlan out;
  Search search(dynamics, gamma);
  for (int opening = -1; opening < dynamics.action_count(); ++opening) {
    double probability = 0;
    for (const auto& t : dynamics.start()) {
      if (t.next.previous == opening) probability += t.probability;
    }
    if (probability == 0) continue;
    auto [value, sequence] = search.run(belief_at_start(dynamics, opening));
    out.sequences.emplace_back(opening, std::move(sequence));
    out.value += probability * value;
  }
  out.expanded = search.expanded();
  return out;
}

}  // namespace straq::simulate
