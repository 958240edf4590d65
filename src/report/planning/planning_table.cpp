// "Does it plan?": planners that were played in the simulator, beside policies whose value is
// known.
#include <algorithm>

#include "metrics/seeds.h"
#include "metrics/statistics.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

using results::Simulation;

// Over the runs of a setting, each with another seed.
struct Spread {
  std::vector<double> values;
  double mean() const {
    double sum = 0;
    for (const double v : values) sum += v / static_cast<double>(values.size());
    return sum;
  }
  Cell cell(double scale, int decimals) const {
    return values.empty() ? Cell::missing() : Cell::real(scale * mean(), decimals);
  }
};

template <class Of>
Spread spread_of(const Group& group, Of&& of) {
  Spread out;
  for (const results::Run* run : group.runs) {
    if (const std::optional<double> x = of(*run->simulation)) out.values.push_back(*x);
  }
  return out;
}

// The uncertainty of a setting's mean: over seeds where there are three or more (t interval), else
// of the dialogues that were played.
double half_width(const Group& group, const Spread& shares) {
  if (shares.values.size() >= std::size_t{metrics::kFewestSeeds}) {
    return metrics::summarise_seeds(shares.values).half_width;
  }
  const Simulation& s = *group.runs.front()->simulation;
  const auto optimum = s.exact_return("optimum");
  return optimum && *optimum > 0 ? 1.96 * s.value.standard_error / *optimum : 0;
}

std::optional<double> of_set(const Simulation& s, const std::string& set,
                             std::optional<double> results::QError::*member) {
  for (const auto& [name, error] : s.q) {
    if (name == set) return error.*member;
  }
  return std::nullopt;
}

Cell range_cell(double low, double high) {
  Cell c;
  c.text = Cell::real(low, 1).text + "–" + Cell::real(high, 1).text;
  c.value = nlohmann::ordered_json::array({low, high});
  c.numeric = true;
  return c;
}

// A policy's name as the table writes it.
struct Known {
  const char* policy;
  const char* title;
};
constexpr Known kKnown[] = {
    {"optimum", "sees the state: optimum"},
    {"fixed_plan", "listens to nothing: best fixed plan"},
    {"likeliest", "sees the state: supporter's likeliest strategy"},
    {"supporter", "sees the state: supporter"},
    {"greedy", "sees the state: greatest reward at once"},
    {"uniform", "all strategies alike"},
};

// Groups of one world: who plays in another one is not comparable.
bool same_world(const Simulation& a, const Simulation& b) {
  return a.exact == b.exact && a.return_gamma == b.return_gamma;
}

std::vector<Cell> exact_row(const std::string& title, double value, double optimum) {
  std::vector<Cell> row = {title, Cell("exact"), Cell::real(value, 3),
                           Cell::real(100 * value / optimum, 1)};
  row.resize(11, Cell::missing());
  return row;
}

std::vector<Cell> setting_row(const Group& g, const std::string& name) {
  const Spread value =
      spread_of(g, [](const Simulation& s) { return std::optional<double>(s.value.mean); });
  const Spread share = spread_of(g, [](const Simulation& s) { return s.share(); });
  const Spread below = spread_of(g, [](const Simulation& s) -> std::optional<double> {
    if (s.reference.mean <= 0) return std::nullopt;
    return s.value.mean / s.reference.mean;
  });
  std::vector<Cell> row = {name, Cell(g.runs.size()), value.cell(1, 3), share.cell(100, 1)};
  if (share.values.empty()) {
    row.push_back(Cell::missing());
  } else {
    const double half = half_width(g, share);
    row.push_back(range_cell(100 * (share.mean() - half), 100 * (share.mean() + half)));
  }
  row.push_back(below.cell(100, 1));
  using Q = results::QError;
  for (const auto& [set, member, scale, decimals] :
       {std::tuple{"data", &Q::mean_absolute, 1, 2},
        std::tuple{"reachable", &Q::mean_absolute, 1, 2}, std::tuple{"data", &Q::spearman, 1, 2},
        std::tuple{"reachable", &Q::spearman, 1, 2}, std::tuple{"reachable", &Q::within, 1, 2}}) {
    const Spread of = spread_of(g, [&](const Simulation& s) { return of_set(s, set, member); });
    row.push_back(of.values.size() == g.runs.size() ? of.cell(scale, decimals) : Cell::missing());
  }
  return row;
}

// "gamma-0.95" of "gamma-0.95_seed-2"; nothing of "seed-2".
std::string without_seed(const std::string& point) {
  const std::size_t at = point.rfind("seed-");
  if (at == std::string::npos || (at > 0 && point[at - 1] != '_')) return point;
  return point.substr(0, at > 0 ? at - 1 : 0);
}

}  // namespace

std::vector<Group> played_groups(const results::Results& results) {
  std::vector<Group> out;
  for (const results::Run* run : results.runs()) {
    if (!run->simulation) continue;
    const std::string label = without_seed(run->point);
    auto at = std::find_if(out.begin(), out.end(), [&](const Group& g) {
      return g.experiment == run->experiment && g.label == label &&
             same_world(*g.runs.front()->simulation, *run->simulation);
    });
    if (at == out.end()) at = out.insert(out.end(), {run->experiment, label, {}, {}});
    at->runs.push_back(run);
  }
  return out;
}

std::vector<Table> planning_tables(const results::Results& results) {
  std::vector<Table> out;
  std::vector<const Simulation*> worlds;
  for (const Group& g : played_groups(results)) {
    const Simulation& s = *g.runs.front()->simulation;
    auto at = std::find_if(worlds.begin(), worlds.end(),
                           [&](const Simulation* w) { return same_world(*w, s); });
    if (at == worlds.end()) {
      at = worlds.insert(worlds.end(), &s);
      Table t;
      t.id = out.empty() ? "planning" : "planning_" + std::to_string(out.size() + 1);
      t.title = "Does it plan?";
      t.columns = {"Policy",   "Seeds",         "Return", "% of optimum", "95 %",    "% of reader",
                   "MAE data", "MAE reachable", "ρ data", "ρ reachable",  "ρ within"};
      const double optimum = s.exact_return("optimum").value_or(0);
      for (const Known& k : kKnown) {
        const auto value = s.exact_return(k.policy);
        if (value && optimum > 0) t.add(exact_row(k.title, *value, optimum));
      }
      std::vector<Cell> reader = {"reads the words: best reader", Cell("played"),
                                  Cell::real(s.reference.mean, 3)};
      reader.push_back(optimum > 0 ? Cell::real(100 * s.reference.mean / optimum, 1)
                                   : Cell::missing());
      reader.resize(11, Cell::missing());
      t.rows.insert(t.rows.begin() + std::min<std::ptrdiff_t>(1, std::ssize(t.rows)),
                    std::move(reader));
      t.notes = {
          "Return: expected sum of a dialogue's rewards, by advantages against Q*; 95 %: over "
          "seeds (t) where there are three or more, else over the dialogues played (of the first "
          "seed).",
          "best reader: acts on the exact belief that the words give. MAE, ρ: learned Q against Q* "
          "of the run's own discount, mean absolute error (of planners that learn from the world's "
          "rewards) and Spearman's rank correlation, over the test split's decisions and over all "
          "states that can be reached; within: over the strategies of one state, mean."};
      out.push_back(std::move(t));
    }
    const auto index = static_cast<std::size_t>(at - worlds.begin());
    out[index].add(setting_row(g, g.label.empty() ? g.experiment : g.label));
  }
  if (out.empty()) out.push_back(Table{"planning", "Does it plan?", {}, {}, {}});
  return out;
}

}  // namespace straq::report
