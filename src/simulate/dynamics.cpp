#include "simulate/dynamics.h"

#include <algorithm>
#include <cmath>

namespace straq::simulate {
namespace {

void require_levels(const std::vector<double>& values, const std::string& key) {
  if (values.size() != intensity_levels) {
    fail_input("dynamics." + key + ": expected " + std::to_string(intensity_levels) +
                   " numbers, one per intensity 1..5, got " + std::to_string(values.size()),
               "write " + key + ": [a, b, c, d, e]");
  }
}

std::vector<Effect> resolve(const EffectTable::Row& rows, Stage stage,
                            const dialogue::StrategySet& strategies, const std::string& where) {
  const std::string place = where + "." + name(stage);
  const std::vector<int> at = rows_by_strategy(rows, strategies, place);
  std::vector<Effect> out;
  for (int a = 0; a < strategies.size(); ++a) {
    const int row = at[static_cast<std::size_t>(a)];
    const std::string& label = strategies[a].name;
    if (row < 0) {
      fail_input(place + ": no row for the strategy \"" + label + "\"",
                 "every stage needs the effect of every strategy");
    }
    const Effect& e = rows[static_cast<std::size_t>(row)].second;
    if (e.relief + e.upset > 1) {
      fail_input(place + "." + label + ": relief + upset must be at most 1",
                 "they are the probabilities of two outcomes that exclude each other");
    }
    if (stage == Stage::action && e.advance != 0) {
      fail_input(place + "." + label + ": advance must be 0: no stage follows the action stage");
    }
    out.push_back(e);
  }
  return out;
}

}  // namespace

const char* name(Stage stage) {
  switch (stage) {
    case Stage::exploration:
      return "exploration";
    case Stage::comforting:
      return "comforting";
    case Stage::action:
      return "action";
  }
  return "?";
}

const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ongoing:
      return "ongoing";
    case Outcome::settled:
      return "settled";
    case Outcome::left:
      return "left";
    case Outcome::out_of_turns:
      return "out_of_turns";
  }
  return "?";
}

void Effect::fields(config::Fields& f) {
  f("advance", advance, config::between(0, 1));
  f("relief", relief, config::between(0, 1));
  f("upset", upset, config::between(0, 1));
  f("leave", leave, config::between(0, 1));
}

void EffectTable::fields(config::Fields& f) {
  f.required("exploration", exploration);
  f.required("comforting", comforting);
  f.required("action", action);
}

void StartConfig::fields(config::Fields& f) {
  f.required("intensity", intensity, config::at_least(0));
  f("seeker_opens", seeker_opens, config::at_least(0));
  f("supporter_opens", supporter_opens, config::at_least(0));
}

void RewardConfig::fields(config::Fields& f) {
  f("step", step);
  f("relief", relief);
  f("advance", advance);
  f("settled", settled);
  f("left", left);
  f("out_of_turns", out_of_turns);
}

void DynamicsConfig::fields(config::Fields& f) {
  f("max_turns", max_turns, config::between(1, 1000));
  f("repeat_factor", repeat_factor, config::between(0, 1));
  f.required("readiness", readiness, config::between(0, 1));
  f.required("settle", settle, config::between(0, 1));
  f.required("start", start);
  f("reward", reward);
  f.required("effects", effects);
  if (f.reading()) where = f.where("effects");
}

Dynamics::Dynamics(const DynamicsConfig& config, const dialogue::StrategySet& strategies)
    : config_(config), actions_(strategies.size()) {
  require_levels(config_.readiness, "readiness");
  require_levels(config_.settle, "settle");
  require_levels(config_.start.intensity, "start.intensity");
  const std::string where = config_.where.empty() ? "dynamics.effects" : config_.where;
  effects_ = {resolve(config_.effects.exploration, Stage::exploration, strategies, where),
              resolve(config_.effects.comforting, Stage::comforting, strategies, where),
              resolve(config_.effects.action, Stage::action, strategies, where)};

  const auto& opens = config_.start.supporter_opens;
  const std::vector<int> at = rows_by_strategy(opens, strategies, "dynamics.start.supporter_opens");
  double intensity_sum = 0, opening_sum = config_.start.seeker_opens;
  for (double w : config_.start.intensity) intensity_sum += w;
  for (const auto& row : opens) opening_sum += row.second;
  if (!(intensity_sum > 0)) fail_input("dynamics.start.intensity: all weights are zero");
  if (!(opening_sum > 0)) {
    fail_input("dynamics.start: seeker_opens and supporter_opens are all zero");
  }
  for (int previous = -1; previous < actions_; ++previous) {
    const int row = previous < 0 ? -1 : at[static_cast<std::size_t>(previous)];
    const double opening = previous < 0 ? config_.start.seeker_opens
                           : row < 0    ? 0
                                        : opens[static_cast<std::size_t>(row)].second;
    for (int i = 1; i <= intensity_levels; ++i) {
      const double w = config_.start.intensity[static_cast<std::size_t>(i - 1)];
      const double p = w / intensity_sum * (opening / opening_sum);
      if (p > 0) start_.push_back({{Stage::exploration, i, previous, 0, Outcome::ongoing}, p});
    }
  }
}

int Dynamics::index(const State& s) const {
  if (s.terminal()) {
    return ongoing_count() + (static_cast<int>(s.outcome) - 1) * intensity_levels + s.intensity - 1;
  }
  return ((s.turn * (actions_ + 1) + s.previous + 1) * intensity_levels + s.intensity - 1) *
             stage_count +
         static_cast<int>(s.stage);
}

State Dynamics::state(int index) const {
  State s;
  if (index >= ongoing_count()) {
    const int rest = index - ongoing_count();
    s.outcome = static_cast<Outcome>(rest / intensity_levels + 1);
    s.intensity = rest % intensity_levels + 1;
    return s;
  }
  s.stage = static_cast<Stage>(index % stage_count);
  index /= stage_count;
  s.intensity = index % intensity_levels + 1;
  index /= intensity_levels;
  s.previous = index % (actions_ + 1) - 1;
  s.turn = index / (actions_ + 1);
  return s;
}

std::vector<Transition> Dynamics::transition(const State& s, int action) const {
  std::vector<Transition> out;
  if (s.terminal()) return out;
  const Effect& e = effect(s.stage, action);
  const double repeat = s.previous == action ? config_.repeat_factor : 1.0;
  auto add = [&](const State& next, double p) {
    if (p <= 0) return;
    for (auto& t : out) {
      if (t.next == next) {
        t.probability += p;
        return;
      }
    }
    out.push_back({next, p});
  };
  auto ended = [](Outcome how, int intensity) {
    return State{.stage = Stage::exploration,
                 .intensity = intensity,
                 .previous = -1,
                 .turn = 0,
                 .outcome = how};
  };

  add(ended(Outcome::left, s.intensity), e.leave);
  const double stay = 1 - e.leave;
  const double advance =
      e.advance * repeat * config_.readiness[static_cast<std::size_t>(s.intensity - 1)];
  const double relief = e.relief * repeat;
  for (int moved = 0; moved <= 1; ++moved) {
    const double p_stage = moved ? advance : 1 - advance;
    if (p_stage <= 0) continue;
    const Stage stage = static_cast<Stage>(static_cast<int>(s.stage) + moved);
    for (int change = -1; change <= 1; ++change) {
      const double p_change = change < 0 ? relief : change > 0 ? e.upset : 1 - relief - e.upset;
      if (p_change <= 0) continue;
      const int intensity = std::clamp(s.intensity + change, 1, intensity_levels);
      const double p = stay * p_stage * p_change;
      const double settle =
          stage == Stage::action ? config_.settle[static_cast<std::size_t>(intensity - 1)] : 0.0;
      add(ended(Outcome::settled, intensity), p * settle);
      if (s.turn + 1 >= config_.max_turns) {
        add(ended(Outcome::out_of_turns, intensity), p * (1 - settle));
      } else {
        add({stage, intensity, action, s.turn + 1, Outcome::ongoing}, p * (1 - settle));
      }
    }
  }
  return out;
}

double Dynamics::reward(const State& s, int /*action*/, const State& next) const {
  const RewardConfig& r = config_.reward;
  double total = r.step + r.relief * (s.intensity - next.intensity);
  switch (next.outcome) {
    // An ending hides the stage it was reached in, so moving on is paid while the dialogue lives.
    case Outcome::ongoing:
      return total + r.advance * (static_cast<int>(next.stage) - static_cast<int>(s.stage));
    case Outcome::settled:
      return total + r.settled;
    case Outcome::left:
      return total + r.left;
    case Outcome::out_of_turns:
      return total + r.out_of_turns;
  }
  return total;
}

double Dynamics::reward(const State& s, int action) const {
  double total = 0;
  for (const auto& t : transition(s, action)) total += t.probability * reward(s, action, t.next);
  return total;
}

State Dynamics::sample(const std::vector<Transition>& among, CounterRng& rng) {
  double x = rng.uniform();
  for (const auto& t : among) {
    x -= t.probability;
    if (x < 0) return t.next;
  }
  return among.back().next;  // the sum fell short of 1 by rounding
}

}  // namespace straq::simulate
