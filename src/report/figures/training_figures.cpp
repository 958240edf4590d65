// What runs say of their own training: losses, TD error, Q values, gradient norms, throughput.
#include <algorithm>
#include <cmath>
#include <map>

#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/figures/gnuplot_script.h"
#include "report/tables/tables.h"

namespace straq::report {
namespace {

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
void mark_stages(GnuplotScript& script, const std::vector<results::Step>& steps) {
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (steps[i].stage == steps[i - 1].stage) continue;
    const std::string at = number(static_cast<double>(steps[i].step) - 0.5);
    script.set("arrow from " + at + ", graph 0 to " + at +
               ", graph 1 nohead dashtype 3 linecolor rgb '#666666'");
  }
}

struct Curve {
  std::string title;
  std::vector<std::optional<double>> values;
  bool raw = true;  // drawn faintly behind the smoothed line
  int panel = 0;
  const char* shows = nullptr;  // an entry of the report's contents, where it has one
  std::vector<std::optional<double>> smooth = {};
};

std::string curve_data(const std::vector<results::Step>& steps, const std::vector<Curve>& curves) {
  std::string out = "# step";
  for (const auto& c : curves) {
    std::string name = c.title;
    std::replace(name.begin(), name.end(), ' ', '_');
    out += " " + name + " " + name + "_smoothed";
  }
  out += "\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out += std::to_string(steps[i].step);
    for (const auto& c : curves) out += " " + number(c.values[i]) + " " + number(c.smooth[i]);
    out += "\n";
  }
  return out;
}

// Every step's faint line and the smoothed one of the curves in a panel.
std::vector<std::string> panel_parts(const std::vector<Curve>& curves, int panel,
                                     std::size_t steps) {
  const std::string every = "data every " + std::to_string(1 + steps / kMostPoints);
  std::vector<std::string> parts;
  std::size_t line = 0;
  for (std::size_t c = 0; c < curves.size(); ++c) {
    if (curves[c].panel != panel) continue;
    const LineStyle& style = kLines[line++ % kMostLines];
    if (curves[c].raw) {
      parts.push_back(every + " using 1:" + std::to_string(2 + 2 * c) +
                      " with lines linewidth 1 linecolor rgb '#9ecae1' notitle");
    }
    parts.push_back(every + " using 1:" + std::to_string(3 + 2 * c) +
                    " with lines linewidth 2.5 dashtype " + std::to_string(style.dash) + " " +
                    line_color(line - 1) + " title " + gnuplot_quote(curves[c].title));
  }
  return parts;
}

// Curves over the steps in panels one below the other; panels without a value are left out. Returns
// the smoothing window in words; empty: there is nothing to draw.
std::string draw_curves(Figure& f, const std::vector<results::Step>& steps,
                        std::vector<Curve> curves, const std::vector<std::string>& panels) {
  std::erase_if(curves, [](const Curve& c) {
    return std::none_of(c.values.begin(), c.values.end(),
                        [](const auto& v) { return v && std::isfinite(*v); });
  });
  if (curves.empty()) return {};
  for (auto& c : curves) {
    c.smooth = smoothed(c.values, steps);
    if (c.shows != nullptr) f.shows.insert(c.shows);
  }
  f.data = curve_data(steps, curves);
  std::vector<std::pair<std::string, std::vector<std::string>>> drawn;  // a panel's label and parts
  for (std::size_t p = 0; p < panels.size(); ++p) {
    auto parts = panel_parts(curves, static_cast<int>(p), steps.size());
    if (!parts.empty()) drawn.emplace_back(panels[p], std::move(parts));
  }
  GnuplotScript script;
  script.panels(static_cast<int>(drawn.size()), 1, f.title).set("xlabel 'step'").set(kGrid);
  script.set("key top right").set("lmargin 11");
  mark_stages(script, steps);
  for (const auto& [label, parts] : drawn) script.set_text("ylabel", label).plot(parts);
  f.script = script.text(f.id, f.title, 720, 60 + 240 * static_cast<int>(drawn.size()));
  return std::to_string(smoothing_window(steps.size()));
}

template <class Get>
std::vector<std::optional<double>> column(const std::vector<results::Step>& steps, Get get) {
  std::vector<std::optional<double>> out;
  for (const results::Step& s : steps) out.push_back(get(s));
  return out;
}

}  // namespace

std::vector<Figure> loss_figures(const results::Run& run) {
  std::vector<std::string> stages;
  std::map<std::string, std::vector<std::pair<long, double>>> curves;
  for (const results::Step& s : run.steps) {
    if (!s.loss || !std::isfinite(*s.loss)) continue;
    if (curves.find(s.stage) == curves.end()) stages.push_back(s.stage);
    curves[s.stage].emplace_back(s.step, *s.loss);
  }
  if (stages.empty()) return {};
  Figure f = start_figure(run, "loss", "", "training loss");
  f.as_paper = "Figure 3";
  f.caption = "Training loss of " + run.name() + " (" + seed_words(run) + "): ";
  GnuplotScript script;
  script.panels(static_cast<int>(stages.size()), 1, f.title).set("xlabel 'step'").set(kGrid);
  script.set("key top right");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& curve = curves[stages[i]];
    std::vector<double> raw;
    for (const auto& [step, loss] : curve) raw.push_back(loss);
    const int window = smoothing_window(raw.size());
    const auto smoothed = smooth(raw, window);
    f.data += "# stage " + one_line(stages[i]) + "\n# step loss smoothed\n";
    for (std::size_t s = 0; s < curve.size(); ++s) {
      f.data +=
          std::to_string(curve[s].first) + " " + number(raw[s]) + " " + number(smoothed[s]) + "\n";
    }
    f.data += "\n\n";
    const std::string stage = stages[i].empty() ? "training" : stages[i];
    f.caption += (i ? "; " : "") + stage + " " + std::to_string(curve.size()) +
                 " steps, smoothed over " + std::to_string(window);
    const std::string from = "data index " + std::to_string(i) + " every " +
                             std::to_string(1 + curve.size() / kMostPoints);
    script.set_text("ylabel", "loss, " + stage);
    script.plot({from + " using 1:2 with lines linewidth 1 linecolor rgb '#9ecae1' title 'each "
                        "step'",
                 from + " using 1:3 with lines linewidth 2.5 linecolor rgb '#08306b' title "
                        "'smoothed'"});
  }
  f.caption += " (centred mean).";
  f.script = script.text(f.id, f.title, 720, 60 + 300 * static_cast<int>(stages.size()));
  return {f};
}

std::vector<Figure> training_figures(const results::Run& run) {
  const auto& steps = run.steps;
  Figure f = start_figure(run, "training", "", "training");
  const auto of = [&](auto field) {
    return column(steps, [field](const results::Step& s) { return s.*field; });
  };
  using results::Step;
  const std::string window =
      draw_curves(f, steps,
                  {{"TD error", of(&Step::td_abs), true, 0, "td_error"},
                   {"max Q", of(&Step::max_q), true, 1, "max_q"},
                   {"mean Q", of(&Step::q_mean), false, 1},
                   {"mean target", of(&Step::target_mean), false, 1},
                   {"gradient norm", of(&Step::grad_norm), true, 2, "gradient_norm"}},
                  {"|TD error|", "Q", "gradient norm"});
  if (window.empty()) return {};
  f.as_paper = "Figure 3";
  f.caption = "Training of " + run.name() + " (" + seed_words(run) + ", " +
              std::to_string(steps.size()) +
              " steps): TD error, drift of the Q values, gradient norm before clipping; each "
              "step and a centred "
              "mean over " +
              window + ".";
  return {f};
}

std::vector<Figure> throughput_figures(const results::Run& run) {
  const auto& steps = run.steps;
  Figure f = start_figure(run, "throughput", "", "learning throughput");
  const auto rate = [&](std::optional<double> results::Step::*n) {
    return column(steps, [n](const results::Step& s) {
      return s.*n && s.seconds && *s.seconds > 0 ? std::optional(*(s.*n) / *s.seconds)
                                                 : std::nullopt;
    });
  };
  const std::string window =
      draw_curves(f, steps,
                  {{"tokens per second", rate(&results::Step::tokens), true, 0},
                   {"decisions per second", rate(&results::Step::decisions), true, 1}},
                  {"tokens / s", "decisions / s"});
  if (window.empty()) return {};
  double tokens = 0, seconds = 0;
  std::size_t timed = 0;
  for (const results::Step& s : steps) {
    if (!s.seconds) continue;
    ++timed;
    tokens += s.tokens.value_or(0);
    seconds += *s.seconds;
  }
  f.caption = "Learning throughput of " + run.name() + " (" + seed_words(run) + ", " +
              std::to_string(timed) + " timed steps, " + Cell::real(seconds, 1).text +
              " s of steps, " + Cell::real(seconds > 0 ? tokens / seconds : 0, 0).text +
              " tokens/s in all); each step and a centred mean over " + window + ".";
  return {f};
}

}  // namespace straq::report
