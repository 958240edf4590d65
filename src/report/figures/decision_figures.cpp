// What the rows of predictions say: Q against the return, strategies by progress through the
// dialogue, how often each choice is right.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "metrics/statistics.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot_script.h"
#include "results/reward_facts.h"

namespace straq::report {
namespace {

using metrics::Prediction;

constexpr int kBins = 10;   // of Q in the calibration figure
constexpr int kStages = 5;  // parts of a dialogue

// Mean of `value` over rows with an interval whose error counts dialogues, not rows: the ratio
// estimator's, from each dialogue's sum of deviations. One dialogue says nothing of how dialogues
// differ: then there is no interval.
struct ClusterMean {
  double mean = 0;
  std::optional<double> half_width;
  std::int64_t n = 0;
};
ClusterMean cluster_mean(const std::vector<const Prediction*>& rows,
                         const std::function<double(const Prediction&)>& value) {
  ClusterMean out;
  out.n = static_cast<std::int64_t>(rows.size());
  if (rows.empty()) return out;
  for (const auto* r : rows) out.mean += value(*r) / static_cast<double>(rows.size());
  std::map<std::string, double> deviation;
  for (const auto* r : rows) deviation[r->dialogue] += value(*r) - out.mean;
  if (deviation.size() < 2) return out;
  double squares = 0;
  for (const auto& [dialogue, d] : deviation) squares += d * d;
  out.half_width = 1.959963984540054 * std::sqrt(squares) / static_cast<double>(rows.size());
  return out;
}

std::size_t dialogues_of(const std::vector<Prediction>& rows) {
  std::map<std::string, int> seen;
  for (const auto& r : rows) seen[r.dialogue] = 1;
  return seen.size();
}

std::optional<Figure> calibration(const results::Run& run, const std::string& split,
                                  const std::vector<Prediction>& rows) {
  std::vector<const Prediction*> usable;
  for (const auto& r : rows) {
    const bool chosen = r.chosen >= 0 && static_cast<std::size_t>(r.chosen) < r.q.size();
    if (chosen && std::isfinite(r.q[static_cast<std::size_t>(r.chosen)]) && r.mc_return) {
      usable.push_back(&r);
    }
  }
  const auto q_of = [](const Prediction& r) { return r.q[static_cast<std::size_t>(r.chosen)]; };
  if (usable.size() < 2) return std::nullopt;
  std::stable_sort(usable.begin(), usable.end(),
                   [&](const auto* a, const auto* b) { return q_of(*a) < q_of(*b); });
  Figure f = start_figure(run, "calibration", split, "Q against the return");
  f.data = "# mean_q mean_return half_95 n\n";
  std::vector<double> q, g;
  for (const auto* r : usable) {
    q.push_back(q_of(*r));
    g.push_back(*r->mc_return);
  }
  const std::size_t bins = std::min<std::size_t>(kBins, usable.size());
  bool without = false;  // a group of one dialogue, which has no interval
  for (std::size_t b = 0; b < bins; ++b) {
    const auto first = static_cast<std::ptrdiff_t>(b * usable.size() / bins);
    const auto last = static_cast<std::ptrdiff_t>((b + 1) * usable.size() / bins);
    const std::vector<const Prediction*> part(usable.begin() + first, usable.begin() + last);
    const auto returns = cluster_mean(part, [](const Prediction& r) { return *r.mc_return; });
    without = without || !returns.half_width;
    f.data += number(cluster_mean(part, q_of).mean) + " " + number(returns.mean) + " " +
              number(returns.half_width) + " " + std::to_string(returns.n) + "\n";
  }
  const double rho = metrics::spearman(q, g);
  f.caption = "Calibration of " + run.name() + " on " + split + " (" + seed_words(run) +
              ", n = " + std::to_string(usable.size()) + " decisions of " +
              std::to_string(dialogues_of(rows)) + " dialogues): mean return of " +
              std::to_string(bins) +
              " equal groups of decisions by the Q of the chosen strategy; bars are 95 % intervals "
              "by dialogue" +
              std::string(without ? ", which groups of one dialogue have not" : "") +
              "; on the dashed line Q is the return. Spearman over decisions: " +
              (std::isfinite(rho) ? Cell::real(rho, 3).text : "none, one side is constant") + ".";
  if (results::reward_facts(run).imitation) {
    f.caption +=
        " Under the imitation reward the return only says how many decisions the dialogue has "
        "left, "
        "and Q need not lie on the dashed line.";
  }
  GnuplotScript script;
  script.figure_title(f.title).set("xlabel 'mean Q of the chosen strategy'");
  script.set("ylabel 'mean Monte-Carlo return'").set(kGrid).set("key top left");
  script.set("offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05");
  std::vector<std::string> parts = {
      "x with lines dashtype 2 linecolor rgb '#7f7f7f' title 'Q = return'",
      "data using 1:2:3 with yerrorbars linewidth 1.5 pointtype 7 pointsize 0.9 linecolor rgb "
      "color1 title 'decisions by Q'"};
  if (without) {
    parts.push_back(
        "data using 1:2 with points pointtype 7 pointsize 0.9 linecolor rgb color1 "
        "notitle");
  }
  f.script = script.plot(parts).text(f.id, f.title, 560, 480);
  return f;
}

Figure stages(const results::Run& run, const std::string& split,
              const std::vector<Prediction>& rows, std::size_t strategies) {
  Figure f = start_figure(run, "stages", split, "strategies by progress");
  f.caption =
      "Strategies by progress through the dialogue for " + run.name() + " on " + split + " (" +
      seed_words(run) + ", n = " + std::to_string(rows.size()) + " decisions of " +
      std::to_string(dialogues_of(rows)) +
      " dialogues): percent of each fifth's decisions; left the human supporters, right the "
      "planner.";
  for (const bool human : {true, false}) {
    std::vector<std::vector<double>> counts(kStages, std::vector<double>(strategies, 0));
    std::vector<double> total(kStages, 0);
    for (const auto& r : rows) {
      const int s = human ? r.gold : r.chosen;
      if (s < 0 || static_cast<std::size_t>(s) >= strategies || r.of < 1) continue;
      const auto stage = static_cast<std::size_t>(std::min(kStages - 1, r.index * kStages / r.of));
      ++counts[stage][static_cast<std::size_t>(s)];
      ++total[stage];
    }
    f.data +=
        std::string("# ") + (human ? "human" : "planner") + "\n# fifth strategy share count\n";
    for (std::size_t stage = 0; stage < kStages; ++stage) {
      for (std::size_t s = 0; s < strategies; ++s) {
        f.data += std::to_string(stage) + " " + std::to_string(s) + " " +
                  number(total[stage] > 0 ? counts[stage][s] / total[stage] : 0) + " " +
                  number(counts[stage][s]) + "\n";
      }
    }
    f.data += "\n\n";
  }
  const std::string high = number(static_cast<double>(strategies) - 0.5);
  GnuplotScript script;
  script.panels(1, 2, f.title).set(kPalette).set("cbrange [0:1]").unset("colorbox").unset("key");
  script.set("xrange [-0.5:4.5]").set("yrange [" + high + ":-0.5]");
  script.set("ytics (" + tick_list(strategy_ticks(run, strategies)) + ") scale 0");
  script.set("xtics ('1st' 0, '2nd' 1, '3rd' 2, '4th' 3, '5th' 4) scale 0");
  script.set("xlabel 'fifth of the dialogue'");
  for (int block = 0; block < 2; ++block) {
    const std::string from = "data index " + std::to_string(block);
    script.set_text("title", block == 0 ? "human supporters" : "planner");
    script.plot(heat_parts(from, from));
  }
  f.script = script.text(f.id, f.title, 900, 420);
  return f;
}

Figure reliability(const results::Run& run, const std::string& split,
                   const std::vector<Prediction>& rows, std::size_t strategies) {
  Figure f = start_figure(run, "reliability", split, "how often each choice is right");
  f.caption = "Reliability of " + run.name() + " on " + split + " (" + seed_words(run) +
              ", n = " + std::to_string(rows.size()) + " decisions of " +
              std::to_string(dialogues_of(rows)) +
              " dialogues): when it chooses a strategy, how often the human supporter did; bars "
              "are 95 % Wilson intervals, which take decisions for independent and so are too "
              "narrow; crosses are how often the strategy occurs at all. Strategies that are never "
              "chosen have a cross only.";
  f.data = "# strategy precision low high base_rate chosen\n";
  for (std::size_t s = 0; s < strategies; ++s) {
    std::int64_t chosen = 0, right = 0, gold = 0;
    for (const auto& r : rows) {
      const bool is = r.chosen == static_cast<int>(s);
      chosen += is;
      right += is && r.gold == r.chosen;
      gold += r.gold == static_cast<int>(s);
    }
    const auto interval = metrics::wilson(right, chosen);
    const bool some = chosen > 0;
    const double nan = NAN;
    f.data += std::to_string(s) + " " +
              number(some ? static_cast<double>(right) / static_cast<double>(chosen) : nan) + " " +
              number(some ? interval.low : nan) + " " + number(some ? interval.high : nan) + " " +
              number(static_cast<double>(gold) / static_cast<double>(rows.size())) + " " +
              std::to_string(chosen) + "\n";
  }
  GnuplotScript script;
  script.figure_title(f.title);
  script.set("ytics (" + tick_list(strategy_ticks(run, strategies)) + ") scale 0");
  script.set("yrange [" + number(static_cast<double>(strategies) - 0.5) + ":-0.5]");
  script.set("xrange [0:1]").set("xlabel 'share that the human supporter chose too'").set(kGrid);
  script.set("key outside top center horizontal");
  script.plot(
      {"data using 2:1:3:4 with xerrorbars linewidth 1.5 pointtype 7 pointsize 0.9 "
       "linecolor rgb color1 title 'when chosen'",
       "data using 5:1 with points pointtype 2 pointsize 1.1 linewidth 1.5 linecolor rgb "
       "color2 title 'in the corpus'"});
  f.script = script.text(f.id, f.title, 640, 420);
  return f;
}

}  // namespace

std::vector<Figure> decision_figures(const results::Run& run, const std::string& split,
                                     const std::vector<metrics::Prediction>& rows) {
  std::vector<Figure> out;
  if (rows.empty()) return out;
  std::size_t strategies = run.evaluation ? run.evaluation->strategies.size() : 0;
  for (const auto& r : rows) {
    strategies = std::max({strategies, r.q.size(), static_cast<std::size_t>(r.gold) + 1});
  }
  if (auto f = calibration(run, split, rows)) out.push_back(std::move(*f));
  out.push_back(stages(run, split, rows, strategies));
  out.push_back(reliability(run, split, rows, strategies));
  return out;
}

}  // namespace straq::report
