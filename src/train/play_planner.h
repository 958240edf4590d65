// A planner played in the simulated world that its corpus is from: what it is worth beside exact
// values, and its Q beside Q*.
#pragma once

#include <cstdint>
#include <string>

#include "experiment/experiment.h"
#include "planner/planner.h"
#include "results/rows/simulation.h"
#include "simulate/simulator.h"

namespace straq::train {

struct PlayPlan {
  std::int64_t dialogues = 500;
  int in_step = 64;         // dialogues that go on at a time
  int threads = 1;          // of those who are compared with it
  double return_gamma = 1;  // by which returns are counted
  bool same_units = false;  // its Q is in the world's own rewards
  at::Device device = at::kCPU;
};

// Plays `plan.dialogues` dialogues, all of them with random numbers that are common to every
// planner of this world (simulate::Session), and compares Q values in three sets of states: of the
// corpus's test split, of the dialogues it played, and of those that a supporter without any plan
// reaches. Throws Error(input) where the world's strategies are not the planner's.
results::Simulation play_planner(const planner::Planner& planner,
                                 const simulate::SimulateConfig& world, const PlayPlan& plan);

// Whether a run's Q is in the rewards of the world itself, so that errors against Q* have a
// meaning: whether it learned from the corpus's recorded rewards.
bool in_units_of_the_world(const experiment::ExperimentConfig& config);

// The world that a run's corpus is from: of the config that `section` names. Throws Error(input)
// where it names none.
simulate::SimulateConfig world_of(const experiment::SimulateSection& section);

// Plays the planner of a run's folder and writes simulation.json there. `world`: a config of `straq
// simulate`; empty: the run's own. `dialogues` 0: as many as the run's config says, or 500.
results::Simulation play_run(const std::string& run_folder, const std::string& world,
                             std::int64_t dialogues);

}  // namespace straq::train
