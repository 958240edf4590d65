#include "simulate/value_report.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "core/files/files.h"
#include "core/json/json.h"
#include "simulate/fixed_plan.h"
#include "simulate/point_based.h"

namespace straq::simulate {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kValuesFile = "values.json";
constexpr const char* kValuesFolder = "values";

// Numbers of a file's name: "0.85", "1".
std::string short_number(double x) {
  return dump_json(
      ordered_json(x == static_cast<int>(x) ? ordered_json(static_cast<int>(x)) : ordered_json(x)));
}

std::string state_lines(const Simulator& simulator, double gamma) {
  const Dynamics& dynamics = simulator.dynamics();
  const auto& strategies = simulator.strategies();
  const Values best = optimal_values(dynamics, gamma);
  const auto reached = visits(dynamics, uniform_policy(dynamics));
  const auto supporter = visits(dynamics, supporter_policy(simulator.policy()));
  std::string out;
  for (int i = 0; i < dynamics.state_count(); ++i) {
    const State s = dynamics.state(i);
    if (s.terminal() || reached[static_cast<std::size_t>(i)] == 0) continue;
    ordered_json line;
    line["turn"] = s.turn;
    line["stage"] = name(s.stage);
    line["intensity"] = s.intensity;
    line["previous"] = s.previous < 0 ? ordered_json() : ordered_json(strategies[s.previous].name);
    line["visits"] = supporter[static_cast<std::size_t>(i)];
    line["value"] = best.value(s);
    line["best"] = strategies[best.best(s)].name;
    const auto q = best.q(s);
    line["q"] = std::vector<double>(q.begin(), q.end());
    out += dump_json(line) + "\n";
  }
  return out;
}

}  // namespace

const PolicyReturn& ValueReport::of(const std::string& policy) const {
  for (const auto& p : policies) {
    if (p.policy == policy) return p;
  }
  throw std::logic_error("no policy " + policy);
}

const PolicyReturn& ValueReport::reference() const {
  const PolicyReturn &a = of("qmdp"), &b = of("point_based");
  return a.value.value > b.value.value ? a : b;
}

ValueReport value_report(const Simulator& simulator, const ValueOptions& options) {
  const Dynamics& dynamics = simulator.dynamics();
  const Values best = optimal_values(dynamics, options.gamma);
  const Values at_once = optimal_values(dynamics, 0);
  const double optimum = start_value(dynamics, best);
  ValueReport out;
  out.options = options;
  const auto add = [&](const char* policy, const char* sees, Mean value, bool exact) {
    out.policies.push_back({policy, sees, value, value.value / optimum, exact});
  };
  const auto exact = [&](const char* policy, const char* sees, const StatePolicy& of) {
    const Values values = policy_values(dynamics, of, options.gamma);
    add(policy, sees, {start_value(dynamics, values), 0}, true);
  };
  const auto played = [&](const char* policy, std::function<int(const Belief&)> choice) {
    const Played p = play(simulator, best, by_belief(simulator, std::move(choice)), options.play);
    add(policy, "words", mean_of(p.by_advantage), false);
  };
  add("optimum", "state", {optimum, 0}, true);
  played("qmdp", [&](const Belief& b) { return qmdp_choice(best, b); });
  const PointBasedPolicy points(simulator, options.gamma);
  played("point_based", [&](const Belief& b) { return points.choice(b); });
  out.words_lower = points.lower_bound();
  out.words_upper = points.upper_bound();
  add("fixed_plan", "nothing", {best_fixed_plan(dynamics, options.gamma).value, 0}, true);
  exact("supporter", "state", supporter_policy(simulator.policy()));
  exact("likeliest", "state", likeliest_policy(simulator.policy()));
  exact("greedy", "state", greedy_policy(at_once));
  exact("uniform", "nothing", uniform_policy(dynamics));
  return out;
}

ordered_json to_json(const ValueReport& report) {
  ordered_json j;
  j["format"] = "straq-simulated-values";
  j["format_version"] = 1;
  j["gamma"] = report.options.gamma;
  j["played_dialogues"] = report.options.play.dialogues;
  j["seed"] = report.options.play.seed;
  for (const auto& p : report.policies) {
    ordered_json& row = j["policies"][p.policy];
    row["sees"] = p.sees;
    row["return"] = p.value.value;
    if (!p.exact) row["standard_error"] = p.value.standard_error;
    row["share"] = p.share;
  }
  j["reference"] = report.reference().policy;
  j["words"] = {{"lower", report.words_lower}, {"upper", report.words_upper}};
  return j;
}

Table table(const ValueReport& report) {
  Table t;
  t.id = "simulated_values";
  t.title = "What policies are worth (discount " + short_number(report.options.gamma) + ")";
  t.columns = {"Policy", "Sees", "Return", "Standard error", "Share of optimum %"};
  for (const auto& p : report.policies) {
    t.add({p.policy, p.sees, Cell::real(p.value.value, 3),
           p.exact ? Cell("exact") : Cell::real(p.value.standard_error, 4),
           Cell::real(100 * p.share, 1)});
  }
  t.notes = {"qmdp, point_based: act on the exact belief that the words give, played in " +
                 std::to_string(report.options.play.dialogues) + " dialogues.",
             "fixed_plan: the best that listens to nothing; likeliest: the supporter's likeliest "
             "strategy, the state being known; greedy: the greatest reward at once."};
  return t;
}

void write_values(const Simulator& simulator, const ValueReport& report,
                  const std::string& folder) {
  remove_values(folder);
  const fs::path root(folder);
  make_folders((root / kValuesFolder).string());
  for (const double gamma : report.options.gammas) {
    const std::string file = "gamma-" + short_number(gamma) + ".jsonl";
    write_file_atomic((root / kValuesFolder / file).string(), state_lines(simulator, gamma));
  }
  write_file_atomic((root / kValuesFile).string(), dump_json(to_json(report), 2) + "\n");
}

void remove_values(const std::string& folder) {
  std::error_code ec;
  const fs::path root(folder);
  fs::remove(root / kValuesFile, ec);
  for (fs::directory_iterator it(root / kValuesFolder, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with("gamma-") && name.ends_with(".jsonl")) fs::remove(it->path(), ignored);
  }
  fs::remove(root / kValuesFolder, ec);  // where nothing of anybody else's is in it
}

}  // namespace straq::simulate
