// Which strategies are taken for which, and which follow which: heat maps, rows normalised.
#include "metrics/evaluation.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot_script.h"

namespace straq::report {
namespace {

struct HeatMap {
  std::string caption, x_label, y_label;
  std::vector<std::string> ticks;
  metrics::Counts2d counts;
};

Figure heat_map(Figure f, const HeatMap& h) {
  f.caption = h.caption;
  f.as_paper = "Figure 4";
  f.data = "# column row share-of-row count\n";
  const std::size_t k = h.counts.size();
  for (std::size_t y = 0; y < k; ++y) {
    double total = 0;
    for (auto c : h.counts[y]) total += static_cast<double>(c);
    for (std::size_t x = 0; x < k; ++x) {
      const auto c = static_cast<double>(h.counts[y][x]);
      f.data += std::to_string(x) + " " + std::to_string(y) + " " +
                number(total > 0 ? c / total : 0) + " " + number(c) + "\n";
    }
  }
  const std::string ticks = "(" + tick_list(h.ticks) + ")";
  const std::string low = "-0.5", high = number(static_cast<double>(k) - 0.5);
  GnuplotScript script;
  script.figure_title(f.title).set("size ratio -1").set(kPalette).set("cbrange [0:1]");
  script.set("cblabel 'share of the row'");
  script.set("xrange [" + low + ":" + high + "]").set("yrange [" + high + ":" + low + "]");
  script.set("xtics " + ticks + " rotate by 45 right scale 0").set("ytics " + ticks + " scale 0");
  script.set_text("xlabel", h.x_label).set_text("ylabel", h.y_label).unset("key");
  script.plot(heat_parts("data", "''"));
  f.script = script.text(f.id, f.title, 640, 600);
  return f;
}

}  // namespace

std::vector<Figure> strategy_figures(const results::Run& run) {
  std::vector<Figure> out;
  if (!run.evaluation) return out;
  for (const auto& [split, e] : run.evaluation->splits) {
    const auto& r = e.strategy;
    HeatMap h;
    h.ticks = strategy_ticks(run, r.support.size());
    const std::string about = " of " + run.name() + " on " + split + " (" + seed_words(run) +
                              ", n = " + std::to_string(r.n) + " decisions";
    h.caption = "Confusion" + about + "): percent of each gold strategy's decisions.";
    h.x_label = "predicted strategy";
    h.y_label = "gold strategy";
    h.counts = r.confusion;
    out.push_back(heat_map(start_figure(run, "confusion", split, "confusion"), h));

    std::int64_t pairs = 0;
    for (const auto& row : r.transition) {
      for (auto c : row) pairs += c;
    }
    h.caption = "Transitions" + about + ", " + std::to_string(pairs) +
                " pairs): percent of what the planner chooses next after choosing the row's "
                "strategy.";
    h.x_label = "chosen at the next decision";
    h.y_label = "chosen strategy";
    h.counts = r.transition;
    out.push_back(heat_map(start_figure(run, "transition", split, "transitions"), h));
  }
  return out;
}

}  // namespace straq::report
