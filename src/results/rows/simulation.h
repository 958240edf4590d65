// simulation.json of a run folder: what a planner is worth in the simulated world that its corpus
// is from, beside exact values (docs/planning.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace straq {
class JsonFields;
}

namespace straq::results {

// A mean over played dialogues.
struct PlayedMean {
  double mean = 0, standard_error = 0;
  void fields(JsonFields& f);
};

// Learned Q against Q* over a set of states.
struct QError {
  std::int64_t states = 0;
  std::optional<double>
      mean_absolute;               // over states and strategies; of rewards in Q*'s units alone
  std::optional<double> spearman;  // over all (state, strategy)
  std::optional<double> within;    // mean over states of Spearman's over their strategies
  std::optional<double> best;      // share of states whose greatest Q is that of Q*
  void fields(JsonFields& f);
};

// One strategy in one (stage, intensity): the means of Q* and of the learned Q over the states that
// were asked, weighed as they came.
struct QPoint {
  std::string stage, strategy;
  int intensity = 0;
  std::int64_t asked = 0;
  double exact = 0, learned = 0;
  void fields(JsonFields& f);
};

struct Simulation {
  double return_gamma = 1;       // by which returns are counted
  std::int64_t dialogues = 0;    // played
  std::uint64_t seed = 0;        // of their random numbers
  PlayedMean discounted_return;  // of the rewards that came
  PlayedMean value;              // the same expectation, by advantages: less noise
  PlayedMean reference;          // of the best reader of the words, in the same dialogues
  PlayedMean below_reference;    // reference less value, dialogue by dialogue
  // Returns of policies that are known exactly, by name: optimum, fixed_plan, supporter, …
  std::vector<std::pair<std::string, double>> exact;
  std::vector<std::pair<std::string, std::int64_t>> outcomes;  // dialogues by how they ended
  double decisions = 0;                                        // a dialogue
  double q_gamma = 0;                                          // of Q*: the run's own discount
  bool same_units = false;                        // the run learned from the world's own reward
  std::vector<std::pair<std::string, QError>> q;  // by set: "data", "played", "reachable"
  std::vector<QPoint> points;                     // of "reachable"

  std::optional<double> exact_return(const std::string& policy) const;
  // Of the optimum's return; nothing where that is not above 0.
  std::optional<double> share() const;
  void fields(JsonFields& f);
};

// Throws Error(input) with file, line and key for what is no such file.
Simulation read_simulation(const std::string& path);
// Writes the file whole or not at all.
void write_simulation(const std::string& path, const Simulation& simulation);

}  // namespace straq::results
