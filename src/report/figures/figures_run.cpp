#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "metrics/statistics.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

using metrics::Prediction;

constexpr int kBins = 10;   // of Q in the calibration figure
constexpr int kStages = 5;  // parts of a dialogue

Figure start(const results::Run& run, const std::string& kind, const std::string& split,
             const std::string& title) {
  Figure f;
  f.id = slug(kind + "-" + run.name() + (split.empty() ? "" : "-" + split));
  f.title = one_line(run.name() + (split.empty() ? "" : ", " + split) + ": " + title);
  f.run = &run;
  return f;
}

// The smoothed values of those that are there; the others stay empty. Each stage by itself: a mean
// over its end and the next one's beginning is neither's.
std::vector<std::optional<double>> smoothed(const std::vector<std::optional<double>>& x,
                                            const std::vector<results::Step>& steps) {
  std::vector<std::optional<double>> out(x.size());
  for (std::size_t first = 0, last = 0; first < x.size(); first = last) {
    while (last < x.size() && steps[last].stage == steps[first].stage) ++last;
    std::vector<double> values;
    for (std::size_t i = first; i < last; ++i) {
      if (x[i] && std::isfinite(*x[i])) values.push_back(*x[i]);
    }
    const auto smooth_values = smooth(values, smoothing_window(steps.size()));
    std::size_t next = 0;
    for (std::size_t i = first; i < last; ++i) {
      if (x[i] && std::isfinite(*x[i])) out[i] = smooth_values[next++];
    }
  }
  return out;
}

// A thin line in every panel where a stage begins.
std::string stage_marks(const std::vector<results::Step>& steps) {
  std::string out;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (steps[i].stage == steps[i - 1].stage) continue;
    const std::string at = number(static_cast<double>(steps[i].step) - 0.5);
    out += "  set arrow from " + at + ", graph 0 to " + at +
           ", graph 1 nohead dashtype 3 linecolor rgb '#666666'\n";
  }
  return out;
}

struct Curve {
  std::string title;
  std::vector<std::optional<double>> values;
  std::vector<std::optional<double>> smooth;
  bool raw = true;  // drawn faintly behind the smoothed line
  int panel = 0;
};

// Curves over the steps in panels one below the other; panels without a value are left out.
std::string draw_curves(Figure& f, const std::vector<results::Step>& steps,
                        std::vector<Curve> curves, const std::vector<std::string>& panels) {
  std::erase_if(curves, [](const Curve& c) {
    return std::none_of(c.values.begin(), c.values.end(),
                        [](const auto& v) { return v && std::isfinite(*v); });
  });
  if (curves.empty()) return {};
  f.data = "# step";
  for (auto& c : curves) {
    c.smooth = smoothed(c.values, steps);
    std::string name = c.title;
    std::replace(name.begin(), name.end(), ' ', '_');
    f.data += " " + name + " " + name + "_smoothed";
  }
  f.data += "\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    f.data += std::to_string(steps[i].step);
    for (const auto& c : curves) f.data += " " + number(c.values[i]) + " " + number(c.smooth[i]);
    f.data += "\n";
  }
  const std::string every = std::to_string(1 + steps.size() / kMostPoints);
  std::string plots;
  int drawn = 0;
  for (std::size_t p = 0; p < panels.size(); ++p) {
    std::string plot;
    std::size_t line = 0;
    for (std::size_t c = 0; c < curves.size(); ++c) {
      if (curves[c].panel != static_cast<int>(p)) continue;
      const std::string raw = std::to_string(2 + 2 * c), smooth = std::to_string(3 + 2 * c);
      const LineStyle& style = kLines[line++ % kMostLines];
      if (curves[c].raw) {
        plot += (plot.empty() ? "  plot " : ", \\\n    ") + ("data every " + every) +
                " using 1:" + raw + " with lines linewidth 1 linecolor rgb '#9ecae1' notitle";
      }
      plot += (plot.empty() ? "  plot " : ", \\\n    ") + ("data every " + every) +
              " using 1:" + smooth + " with lines linewidth 2.5 dashtype " +
              std::to_string(style.dash) + " linecolor rgb '" + style.color + "' title " +
              gnuplot_quote(curves[c].title);
    }
    if (plot.empty()) continue;
    ++drawn;
    plots += "  set ylabel " + gnuplot_quote(panels[p]) + "\n" + plot + "\n";
  }
  f.script = script_of(
      f.id, f.title, 720, 60 + 240 * drawn,
      "  set multiplot layout " + std::to_string(drawn) + ",1 title " + gnuplot_quote(f.title) +
          "\n  set xlabel 'step'\n  set grid linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'\n"
          "  set key top right\n  set lmargin 11\n" +
          stage_marks(steps) + plots + "  unset multiplot\n");
  return std::to_string(smoothing_window(steps.size()));
}

template <class Get>
std::vector<std::optional<double>> column(const std::vector<results::Step>& steps, Get get) {
  std::vector<std::optional<double>> out;
  for (const results::Step& s : steps) out.push_back(get(s));
  return out;
}

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
  Figure f = start(run, "calibration", split, "Q against the return");
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
  if (run.parameter("learn.reward.kind").value_or("") == "imitation") {
    f.caption +=
        " Under the imitation reward the return only says how many decisions the dialogue has "
        "left, "
        "and Q need not lie on the dashed line.";
  }
  f.script = script_of(
      f.id, f.title, 560, 480,
      "  set title " + gnuplot_quote(f.title) +
          "\n  set xlabel 'mean Q of the chosen strategy'\n"
          "  set ylabel 'mean Monte-Carlo return'\n"
          "  set grid linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'\n  set key top left\n"
          "  set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05\n"
          "  plot x with lines dashtype 2 linecolor rgb '#7f7f7f' title "
          "'Q = return', \\\n"
          "    data using 1:2:3 with yerrorbars linewidth 1.5 pointtype 7 "
          "pointsize 0.9 linecolor rgb '#0072B2' title 'decisions by Q'" +
          std::string(without ? ", \\\n    data using 1:2 with points pointtype 7 pointsize 0.9 "
                                "linecolor rgb '#0072B2' notitle"
                              : "") +
          "\n");
  return f;
}

Figure stages(const results::Run& run, const std::string& split,
              const std::vector<Prediction>& rows, std::size_t strategies) {
  Figure f = start(run, "stages", split, "strategies by progress");
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
  std::string body =
      "  set multiplot layout 1,2 title " + gnuplot_quote(f.title) +
      "\n  set palette defined (0 '#ffffff', 0.35 '#9ecae1', 0.7 '#3182bd', 1 '#08306b')\n"
      "  set cbrange [0:1]\n  unset colorbox\n  unset key\n"
      "  set xrange [-0.5:4.5]\n  set yrange [" +
      high + ":-0.5]\n  set ytics (" + tick_list(strategy_ticks(run, strategies)) +
      ") scale 0\n  set xtics ('1st' 0, '2nd' 1, '3rd' 2, '4th' 3, '5th' 4) scale 0\n"
      "  set xlabel 'fifth of the dialogue'\n";
  for (int block = 0; block < 2; ++block) {
    const std::string from = "data index " + std::to_string(block);
    body += std::string("  set title ") + (block == 0 ? "'human supporters'" : "'planner'") +
            "\n  plot " + from +
            " using 1:2:(0.5):(0.5):3 with boxxyerror fillstyle solid noborder linecolor palette, "
            "\\\n    " +
            from +
            " using 1:($3 < 0.55 && $4 > 0 ? $2 : 1/0):(sprintf('%.0f', 100*$3)) with labels "
            "textcolor rgb '#111111', \\\n    " +
            from +
            " using 1:($3 >= 0.55 ? $2 : 1/0):(sprintf('%.0f', 100*$3)) with labels textcolor rgb "
            "'#ffffff'\n";
  }
  f.script = script_of(f.id, f.title, 900, 420, body + "  unset multiplot\n");
  return f;
}

Figure reliability(const results::Run& run, const std::string& split,
                   const std::vector<Prediction>& rows, std::size_t strategies) {
  Figure f = start(run, "reliability", split, "how often each choice is right");
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
  f.script = script_of(
      f.id, f.title, 640, 420,
      "  set title " + gnuplot_quote(f.title) + "\n  set ytics (" +
          tick_list(strategy_ticks(run, strategies)) + ") scale 0\n  set yrange [" +
          number(static_cast<double>(strategies) - 0.5) +
          ":-0.5]\n  set xrange [0:1]\n  set xlabel 'share that the human supporter chose too'\n"
          "  set grid linetype 1 linewidth 0.5 linecolor rgb '#d0d0d0'\n  set key outside top "
          "center horizontal\n"
          "  plot data using 2:1:3:4 with xerrorbars linewidth 1.5 pointtype 7 pointsize 0.9 "
          "linecolor rgb '#0072B2' title 'when chosen', \\\n"
          "    data using 5:1 with points pointtype 2 pointsize 1.1 linewidth 1.5 linecolor rgb "
          "'#D55E00' title 'in the corpus'\n");
  return f;
}

}  // namespace

std::vector<Figure> training_figures(const results::Run& run) {
  std::vector<Figure> out;
  const auto& steps = run.steps;
  Figure f = start(run, "training", "", "training");
  std::vector<Curve> curves(5);
  curves[0] = {
      "TD error", column(steps, [](const results::Step& s) { return s.td_abs; }), {}, true, 0};
  curves[1] = {"max Q", column(steps, [](const results::Step& s) { return s.max_q; }), {}, true, 1};
  curves[2] = {
      "mean Q", column(steps, [](const results::Step& s) { return s.q_mean; }), {}, false, 1};
  curves[3] = {"mean target",
               column(steps, [](const results::Step& s) { return s.target_mean; }),
               {},
               false,
               1};
  curves[4] = {"gradient norm",
               column(steps, [](const results::Step& s) { return s.grad_norm; }),
               {},
               true,
               2};
  std::string window = draw_curves(f, steps, curves, {"|TD error|", "Q", "gradient norm"});
  if (!window.empty()) {
    f.caption = "Figure 3 (paper), beside the loss: training of " + run.name() + " (" +
                seed_words(run) + ", " + std::to_string(steps.size()) +
                " steps): TD error, drift of the Q values, gradient norm before clipping; each "
                "step and a centred "
                "mean over " +
                window + ".";
    out.push_back(std::move(f));
  }
  Figure speed = start(run, "throughput", "", "learning throughput");
  const auto rate = [](const std::optional<double>& n, const results::Step& s) {
    return n && s.seconds && *s.seconds > 0 ? std::optional(*n / *s.seconds) : std::nullopt;
  };
  window =
      draw_curves(speed, steps,
                  {{"tokens per second",
                    column(steps, [&](const results::Step& s) { return rate(s.tokens, s); }),
                    {},
                    true,
                    0},
                   {"decisions per second",
                    column(steps, [&](const results::Step& s) { return rate(s.decisions, s); }),
                    {},
                    true,
                    1}},
                  {"tokens / s", "decisions / s"});
  if (!window.empty()) {
    double tokens = 0, seconds = 0;
    std::size_t timed = 0;
    for (const results::Step& s : steps) {
      if (!s.seconds) continue;
      ++timed;
      tokens += s.tokens.value_or(0);
      seconds += *s.seconds;
    }
    speed.caption = "Learning throughput of " + run.name() + " (" + seed_words(run) + ", " +
                    std::to_string(timed) + " timed steps, " + Cell::real(seconds, 1).text +
                    " s of steps, " + Cell::real(seconds > 0 ? tokens / seconds : 0, 0).text +
                    " tokens/s in all); each step and a centred mean over " + window + ".";
    out.push_back(std::move(speed));
  }
  return out;
}

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
