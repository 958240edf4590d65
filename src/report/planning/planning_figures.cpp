// Learned Q against Q* of planners that were played in the simulator.
#include <algorithm>
#include <set>

#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/figures/gnuplot_script.h"

namespace straq::report {

std::vector<Figure> planning_figures(const results::Run& run) {
  if (!run.simulation || run.simulation->points.empty()) return {};
  const results::Simulation& s = *run.simulation;
  Figure f = start_figure(run, "q_exact", "", "Q against Q*");
  f.shows.insert("q_exact");
  std::vector<std::string> stages;
  for (const auto& p : s.points) {
    if (std::find(stages.begin(), stages.end(), p.stage) == stages.end()) stages.push_back(p.stage);
  }
  // A block a stage; rows of one strategy in one (stage, intensity).
  f.data = "# exact learned intensity asked strategy\n";
  for (const auto& stage : stages) {
    f.data += "# " + one_line(stage) + "\n";
    for (const auto& p : s.points) {
      if (p.stage != stage) continue;
      f.data += number(p.exact) + " " + number(p.learned) + " " + std::to_string(p.intensity) +
                " " + std::to_string(p.asked) + " \"" + one_line(p.strategy) + "\"\n";
    }
    f.data += "\n\n";
  }
  GnuplotScript script;
  script.set(kGrid).set_text("xlabel", "Q* (exact)").set_text("ylabel", "Q (learned)");
  script.set("key top left");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const LineStyle& style = kLines[i % kMostLines];
    parts.push_back("data index " + std::to_string(i) + " using 1:2 with points pointtype " +
                    std::to_string(style.mark) + " pointsize 0.8 " + line_color(i) + " title " +
                    gnuplot_quote(stages[i]));
  }
  if (s.same_units) {
    parts.push_back("x with lines dashtype 2 linecolor rgb '#666666' title 'Q = Q*'");
  }
  script.plot(parts);
  f.script = script.text(f.id, f.title, 640, 520);
  std::string rank;
  for (const auto& [set, q] : s.q) {
    if (set == "reachable" && q.spearman) {
      rank = "; rank correlation over " + std::to_string(q.states) + " states " +
             number(*q.spearman).substr(0, 5);
    }
  }
  f.caption = "Means over the states of a stage and an intensity, a point a strategy" + rank +
              " (" + seed_words(run) + ").";
  return {f};
}

}  // namespace straq::report
