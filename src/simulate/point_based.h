// Policies that act on a belief, and what they are worth.
//
//   QMDP          a = argmax_a sum_s b(s) Q*(s, a): acts as if all doubt were over after one step
//                 (Littman, Cassandra and Kaelbling, "Learning policies for partially observable
//                 environments", 1995). Its own estimate of the value is an upper bound.
//   point-based   backs the value up at beliefs that dialogues do visit, turn by turn from the last
//                 (Pineau, Gordon and Thrun, "Point-based value iteration", 2003). Every vector is
//                 the value of some plan, so its estimate is a lower bound.
//
// The point-based policy's plans hear what a turn says in kind (stage, intensity and reaction, each
// or none) rather than its words; it is asked with the exact belief of the words.
#pragma once

#include <cstdint>
#include <vector>

#include "simulate/belief.h"
#include "simulate/values.h"

namespace straq::simulate {

// sum_s b(s) Q*(s, a) of every action.
std::vector<double> qmdp_q(const Values& best, const Belief& belief);
// The first of the greatest.
int qmdp_choice(const Values& best, const Belief& belief);

struct PointBasedOptions {
  int dialogues = 6000;  // that beliefs are collected from
  int points = 48;       // beliefs of each (previous strategy, turn), at most
  double random = 0.2;   // of the strategies in them
  std::uint64_t seed = 1;
};

class PointBasedPolicy {
 public:
  // Throws Error(input) unless 0 <= gamma <= 1. `simulator` has to outlive it.
  PointBasedPolicy(const Simulator& simulator, double gamma, const PointBasedOptions& options = {});

  int choice(const Belief& belief) const;
  // A lower bound of what acting by choice() is worth from a belief.
  double value(const Belief& belief) const;
  // Expectation over the beginnings of dialogues, before a word is said: lower bound of this
  // policy, upper bound of any that sees no more.
  double lower_bound() const { return lower_; }
  double upper_bound() const { return upper_; }

 private:
  struct Vector {
    int action = 0;
    HiddenWeights value{};
  };
  struct Model;
  using Cell = std::vector<Vector>;  // of one (previous, turn)
  const Cell& cell(int previous, int turn) const {
    return cells_[static_cast<std::size_t>(turn * (actions_ + 1) + previous + 1)];
  }
  void collect(const Model& model, const PointBasedOptions& options,
               std::vector<std::vector<HiddenWeights>>& points) const;
  Vector backed_up(const Model& model, const Belief& belief) const;

  int actions_;
  double gamma_;
  Values best_;
  std::vector<Cell> cells_;
  double lower_ = 0, upper_ = 0;
};

}  // namespace straq::simulate
