#include "train/play_planner.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "core/processors.h"
#include "dialogue/turns.h"
#include "learn/rewards/recorded.h"
#include "metrics/statistics.h"
#include "planner/in_step.h"
#include "results/run_folder.h"
#include "results/run_lock.h"
#include "simulate/fixed_plan.h"
#include "simulate/play.h"
#include "simulate/point_based.h"

namespace straq::train {
namespace {

using simulate::SimulatedDialogue;
using simulate::State;
using simulate::Values;

constexpr int kLearnedFrom = 200;  // dialogues of each set of states but the played one
constexpr std::uint64_t kExploring = 0x6578706c;  // of the seed of those without a plan

// Q of decisions whose states are known.
struct AskedState {
  State state;
  std::vector<double> q;
};

std::vector<double> row_of(const at::Tensor& q, std::int64_t row) {
  const auto count = static_cast<std::size_t>(q.size(1));
  const float* at = q.const_data_ptr<float>() + static_cast<std::size_t>(row) * count;
  return {at, at + count};
}

// Of every decision of whole dialogues.
std::vector<AskedState> asked_in(const planner::Planner& planner,
                                 const std::vector<SimulatedDialogue>& dialogues) {
  std::vector<dialogue::Episode> episodes;
  for (const auto& d : dialogues) {
    episodes.push_back(dialogue::build_episode(d.dialogue, planner.card().merge_label));
  }
  const at::Tensor q = planner.q(episodes);
  std::vector<AskedState> out;
  std::int64_t row = 0;
  for (std::size_t i = 0; i < episodes.size(); ++i) {
    for (const auto& decision : episodes[i].decisions) {
      // Of utterances that are not merged, the second ones are decisions of nobody's.
      for (const auto& t : dialogues[i].trace) {
        if (t.turn == decision.turn) out.push_back({t.state, row_of(q, row)});
      }
      ++row;
    }
  }
  return out;
}

// One for each state: the mean over the times that it was asked about.
std::vector<AskedState> by_state_of(const std::vector<AskedState>& asked,
                                    const simulate::Dynamics& dynamics) {
  std::map<int, std::pair<AskedState, int>> sums;
  for (const auto& a : asked) {
    auto [at, is_new] = sums.try_emplace(dynamics.index(a.state), AskedState{a.state, a.q}, 1);
    if (is_new) continue;
    for (std::size_t i = 0; i < a.q.size(); ++i) at->second.first.q[i] += a.q[i];
    ++at->second.second;
  }
  std::vector<AskedState> out;
  for (auto& [index, sum] : sums) {
    for (double& x : sum.first.q) x /= sum.second;
    out.push_back(std::move(sum.first));
  }
  return out;
}

std::optional<double> if_finite(double x) {
  return std::isfinite(x) ? std::optional<double>(x) : std::nullopt;
}

results::QError error_of(const std::vector<AskedState>& asked, const Values& best,
                         bool same_units) {
  results::QError out;
  std::vector<double> learned, exact;
  double within = 0, ranked = 0, hits = 0, absolute = 0;
  for (const auto& a : asked) {
    const auto q = best.q(a.state);
    const double rank = metrics::spearman(a.q, q);
    if (std::isfinite(rank)) within += rank, ++ranked;
    const auto top = std::max_element(a.q.begin(), a.q.end()) - a.q.begin();
    hits += q[static_cast<std::size_t>(top)] >= best.value(a.state) - 1e-12;
    for (std::size_t i = 0; i < a.q.size(); ++i) absolute += std::abs(a.q[i] - q[i]);
    learned.insert(learned.end(), a.q.begin(), a.q.end());
    exact.insert(exact.end(), q.begin(), q.end());
  }
  out.states = static_cast<std::int64_t>(asked.size());
  if (asked.empty()) return out;
  if (same_units) out.mean_absolute = if_finite(absolute / static_cast<double>(learned.size()));
  out.spearman = if_finite(metrics::spearman(learned, exact));
  if (ranked > 0) out.within = within / ranked;
  out.best = hits / static_cast<double>(asked.size());
  return out;
}

std::vector<results::QPoint> points_of(const std::vector<AskedState>& asked, const Values& best,
                                       const dialogue::StrategySet& strategies) {
  std::map<std::pair<int, int>, std::vector<const AskedState*>> cells;
  for (const auto& a : asked) {
    cells[{static_cast<int>(a.state.stage), a.state.intensity}].push_back(&a);
  }
  std::vector<results::QPoint> out;
  for (const auto& [cell, states] : cells) {
    for (int s = 0; s < strategies.size(); ++s) {
      results::QPoint p;
      p.stage = name(static_cast<simulate::Stage>(cell.first));
      p.intensity = cell.second;
      p.strategy = strategies[s].name;
      p.asked = static_cast<std::int64_t>(states.size());
      for (const auto* a : states) {
        p.exact += best.q(a->state, s) / static_cast<double>(states.size());
        p.learned += a->q[static_cast<std::size_t>(s)] / static_cast<double>(states.size());
      }
      out.push_back(std::move(p));
    }
  }
  return out;
}

// The planner in all its dialogues, a few at a time, each round one decision in each.
class PlannerGames {
 public:
  PlannerGames(const planner::Planner& planner, const simulate::Simulator& simulator,
               const Values& best, std::uint64_t seed, const PlayPlan& plan)
      : planner_(planner),
        simulator_(simulator),
        best_(best),
        seed_(seed),
        plan_(plan),
        at_start_(start_value(simulator.dynamics(), best)),
        asked_(planner, plan.in_step, plan.device) {}

  void run() {
    played_.resize(static_cast<std::size_t>(plan_.dialogues));
    while (true) {
      while (next_ < plan_.dialogues && going_.size() < static_cast<std::size_t>(plan_.in_step)) {
        going_.try_emplace(static_cast<int>(next_), simulator_, seed_, static_cast<int>(next_));
        ++next_;
      }
      if (going_.empty()) break;
      round();
    }
  }
  // Dialogue by dialogue.
  simulate::Played played() const {
    simulate::Played out;
    for (const auto& d : played_) add_played(out, d, best_, at_start_);
    return out;
  }
  const std::vector<AskedState>& states() const { return states_; }
  std::int64_t tokens_read() const { return asked_.tokens_read(); }

 private:
  void round() {
    std::vector<dialogue::Episode> episodes;
    episodes.reserve(going_.size());
    std::vector<std::pair<int, const dialogue::Episode*>> histories;
    for (const auto& [number, session] : going_) {
      auto e = dialogue::build_episode(session.so_far().dialogue, planner_.card().merge_label);
      e.decisions.clear();
      episodes.push_back(std::move(e));
      histories.emplace_back(number, &episodes.back());
    }
    const at::Tensor q = asked_.q_next(histories);
    std::int64_t row = 0;
    for (auto at = going_.begin(); at != going_.end(); ++row) {
      simulate::Session& session = at->second;
      std::vector<double> values = row_of(q, row);
      const auto greatest = std::max_element(values.begin(), values.end());
      if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); })) {
        fail_runtime("the planner's Q is not finite in played dialogue " +
                     std::to_string(at->first));
      }
      const int action = static_cast<int>(greatest - values.begin());
      states_.push_back({session.state(), std::move(values)});
      session.answer(action);
      if (!session.over()) {
        ++at;
        continue;
      }
      played_[static_cast<std::size_t>(at->first)] = session.so_far();
      asked_.forget(at->first);
      at = going_.erase(at);
    }
  }

  const planner::Planner& planner_;
  const simulate::Simulator& simulator_;
  const Values& best_;
  std::uint64_t seed_;
  const PlayPlan& plan_;
  double at_start_;
  planner::InStep asked_;
  std::int64_t next_ = 0;
  std::map<int, simulate::Session> going_;
  std::vector<SimulatedDialogue> played_;
  std::vector<AskedState> states_;
};

results::PlayedMean mean(const std::vector<double>& values) {
  const simulate::Mean m = simulate::mean_of(values);
  return {m.value, m.standard_error};
}

void require_same_strategies(const planner::Planner& planner, const simulate::Simulator& world) {
  const auto &a = planner.strategies(), &b = world.strategies();
  bool same = a.size() == b.size();
  for (int i = 0; same && i < a.size(); ++i) same = a[i].name == b[i].name;
  if (same) return;
  fail_input(planner.folder() + " plans with other strategies than the simulated world has",
             "name the config of `straq simulate` that the planner's corpus was made with");
}

// Dialogues of a supporter who draws all strategies alike: they reach every state that can be.
std::vector<SimulatedDialogue> explored(const simulate::Simulator& world, std::uint64_t seed) {
  std::vector<SimulatedDialogue> out;
  const auto alike = simulate::by_state(simulate::uniform_policy(world.dynamics()), seed);
  for (int i = 0; i < kLearnedFrom; ++i) {
    simulate::Session session(world, seed, i);
    const simulate::Chooser choose = alike(i);
    while (!session.over()) session.answer(choose(session));
    out.push_back(session.so_far());
  }
  return out;
}

void fill_exact(results::Simulation& out, const simulate::Simulator& world, const Values& best) {
  const auto& dynamics = world.dynamics();
  const auto add = [&](const char* policy, const simulate::StatePolicy& of) {
    out.exact.emplace_back(policy,
                           start_value(dynamics, policy_values(dynamics, of, best.gamma())));
  };
  const Values at_once = simulate::optimal_values(dynamics, 0);
  out.exact.emplace_back("optimum", start_value(dynamics, best));
  out.exact.emplace_back("fixed_plan", best_fixed_plan(dynamics, best.gamma()).value);
  add("supporter", supporter_policy(world.policy()));
  add("likeliest", likeliest_policy(world.policy()));
  add("greedy", greedy_policy(at_once));
  add("uniform", uniform_policy(dynamics));
}

}  // namespace

results::Simulation play_planner(const planner::Planner& planner,
                                 const simulate::SimulateConfig& config, const PlayPlan& plan) {
  const simulate::Simulator world(config);
  require_same_strategies(planner, world);
  const auto& dynamics = world.dynamics();
  const Values best = simulate::optimal_values(dynamics, plan.return_gamma);
  const Values exact_q = simulate::optimal_values(dynamics, planner.card().gamma);
  results::Simulation out;
  out.return_gamma = plan.return_gamma;
  out.dialogues = plan.dialogues;
  out.seed = config.seed;
  out.q_gamma = planner.card().gamma;
  out.same_units = plan.same_units;
  fill_exact(out, world, best);

  PlannerGames games(planner, world, best, config.seed, plan);
  games.run();
  const simulate::Played played = games.played();
  out.discounted_return = mean(played.returns);
  out.value = mean(played.by_advantage);
  out.decisions = static_cast<double>(played.decisions) / static_cast<double>(plan.dialogues);
  for (const auto o :
       {simulate::Outcome::settled, simulate::Outcome::left, simulate::Outcome::out_of_turns}) {
    out.outcomes.emplace_back(name(o), played.outcomes[static_cast<std::size_t>(o)]);
  }
  const simulate::PointBasedPolicy reader(world, plan.return_gamma);
  simulate::PlayOptions options;
  options.dialogues = static_cast<int>(plan.dialogues);
  options.seed = config.seed;
  options.threads = plan.threads;
  const simulate::Played reference =
      play(world, best,
           by_belief(world, [&](const simulate::Belief& b) { return reader.choice(b); }), options);
  out.reference = mean(reference.by_advantage);
  std::vector<double> below;
  for (std::size_t i = 0; i < reference.by_advantage.size(); ++i) {
    below.push_back(reference.by_advantage[i] - played.by_advantage[i]);
  }
  out.below_reference = mean(below);

  std::vector<SimulatedDialogue> data;
  for (int i = 0; i < std::min(kLearnedFrom, config.dialogues.test); ++i) {
    data.push_back(world.generate("test", i));
  }
  if (!data.empty()) {
    out.q.emplace_back("data", error_of(asked_in(planner, data), exact_q, plan.same_units));
  }
  out.q.emplace_back("played", error_of(games.states(), exact_q, plan.same_units));
  const auto everywhere = asked_in(planner, explored(world, config.seed ^ kExploring));
  out.q.emplace_back("reachable",
                     error_of(by_state_of(everywhere, dynamics), exact_q, plan.same_units));
  out.points = points_of(everywhere, exact_q, world.strategies());
  log::info("evaluate",
            "simulator: return {:.3f} ± {:.3f} in {} dialogues, {:.1f} % of the optimum; who reads "
            "the words best {:.3f}",
            out.value.mean, out.value.standard_error, plan.dialogues, 100 * out.share().value_or(0),
            out.reference.mean);
  return out;
}

bool in_units_of_the_world(const experiment::ExperimentConfig& config) {
  const auto& learn = config.learn;
  return learn.planner == learn::PlannerKind::q && learn.objective.bellman > 0 &&
         learn.reward->facts().kind == learn::RecordedReward().facts().kind;
}

simulate::SimulateConfig world_of(const experiment::SimulateSection& section) {
  if (section.config.empty()) {
    fail_input("simulate.config is missing: the corpus is not a simulated one",
               "name the world: straq evaluate RUN --simulator configs/simulate/planning.yaml");
  }
  return config::read<simulate::SimulateConfig>(config::load_config(section.config));
}

results::Simulation play_run(const std::string& run_folder, const std::string& world,
                             std::int64_t dialogues) {
  const results::RunFolder folder(run_folder);
  if (!std::filesystem::is_directory(run_folder)) {
    fail_input(run_folder + " is no run folder", "name results/<experiment>/<point>");
  }
  const auto config = experiment::read_experiment(config::load_yaml(folder.config()));
  auto section = config.simulate;
  if (!world.empty()) section.config = world;
  const auto simulated = world_of(section);
  results::RunLock lock(folder.path());
  planner::OpenOptions open;
  open.device = device_of(config.model, {});
  at::set_num_threads(compute_threads(config.threads));
  const auto planner = planner::Planner::open(folder.planner(), open);
  PlayPlan plan;
  plan.device = open.device;
  plan.threads = at::get_num_threads();
  plan.same_units = in_units_of_the_world(config);
  if (dialogues > 0 || config.evaluate.play > 0) {
    plan.dialogues = dialogues > 0 ? dialogues : config.evaluate.play;
  }
  const auto out = play_planner(planner, simulated, plan);
  results::write_simulation(folder.simulation(), out);
  return out;
}

}  // namespace straq::train
