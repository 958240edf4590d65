// The scores of evaluations during training: of one run, and of all runs of an experiment.
#include <algorithm>
#include <map>

#include "metrics/metric.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/figures/gnuplot_script.h"
#include "report/rows/setting_names.h"

namespace straq::report {
namespace {

using results::ValidationRow;

// A run's rows of one split, by step; of a step that stands twice the last.
std::map<std::int64_t, ValidationRow> by_step(const results::Run& run, const std::string& split) {
  std::map<std::int64_t, ValidationRow> out;
  for (const auto& row : run.validations) {
    if (row.split == split) out[row.step] = row;
  }
  return out;
}

std::vector<std::string> splits_during_training(const std::vector<const results::Run*>& runs) {
  std::vector<std::string> out;
  for (const results::Run* run : runs) {
    for (const auto& row : run->validations) {
      if (std::find(out.begin(), out.end(), row.split) == out.end()) out.push_back(row.split);
    }
  }
  return out;
}

double shown_score(const metrics::StrategyMetric& m, const ValidationRow& row) {
  return m.scale() * row.scores.*m.score;
}

std::string panel_title(const metrics::StrategyMetric& m) {
  return m.title +
         (m.better == metrics::Better::lower ? std::string(" (lower is better)") : m.unit());
}

// Three panels beside each other: a plot for each metric, the key below all of them.
template <class Parts>
std::string score_panels(const Figure& f, bool keyed, Parts parts) {
  const auto shown = metrics::shown_strategy_metrics();
  GnuplotScript script;
  script.panels(1, static_cast<int>(shown.size()), f.title).set("xlabel 'step'").set(kGrid);
  script.set("offsets 0, 0, graph 0.1, graph 0.1")
      .set("style fill transparent solid 0.18 noborder");
  // Four marks of the axis: the numbers of steps are long.
  script.set("xtics autofreq rotate by 45 right");
  for (std::size_t m = 0; m < shown.size(); ++m) {
    script.set_text("title", panel_title(*shown[m]));
    if (keyed) script.room_for_key(m + 1 == shown.size());
    if (keyed && m + 1 == shown.size()) {
      script.set("key at screen 0.5, screen 0.01 center bottom horizontal maxrows 2");
    } else {
      script.unset("key");
    }
    script.plot(parts(m));
  }
  return script.text(f.id, f.title, 960, 360 + (keyed ? 80 : 0));
}

std::string line_of(std::size_t i) {
  const LineStyle& style = kLines[i % kMostLines];
  return " linewidth 2 dashtype " + std::to_string(style.dash) + " " + line_color(i);
}

std::string score_names(const std::string& ending) {
  std::string out;
  for (const auto* m : metrics::shown_strategy_metrics()) out += " " + std::string(m->key) + ending;
  return out;
}

// The runs of one setting.
struct Setting {
  std::string name;
  std::vector<std::map<std::int64_t, ValidationRow>> seeds;
};

std::vector<Setting> settings_of(const results::Experiment& experiment, const std::string& split) {
  const SettingNames names(experiment);
  std::vector<Setting> out;
  for (const results::Run& run : experiment.runs) {
    auto rows = by_step(run, split);
    if (rows.empty()) continue;
    const std::string name = names.of(run);
    auto at = std::find_if(out.begin(), out.end(), [&](const auto& s) { return s.name == name; });
    if (at == out.end()) at = out.insert(out.end(), {name, {}});
    at->seeds.push_back(std::move(rows));
  }
  return out;
}

// Mean, least and most of each metric at the steps that all seeds have.
std::string spread_data(const Setting& setting) {
  std::string out = "# " + one_line(setting.name) + ": mean, least and most of " +
                    std::to_string(setting.seeds.size()) + " seeds\n# step" + score_names("") +
                    score_names("_least") + score_names("_most") + "\n";
  bool any = false;
  for (const auto& [step, first] : setting.seeds.front()) {
    std::string means, lows, highs;
    const bool all = std::all_of(setting.seeds.begin(), setting.seeds.end(),
                                 [&, at = step](const auto& s) { return s.count(at) > 0; });
    if (!all) continue;
    for (const auto* m : metrics::shown_strategy_metrics()) {
      double sum = 0, low = INFINITY, high = -INFINITY;
      for (const auto& seed : setting.seeds) {
        const double x = shown_score(*m, seed.at(step));
        sum += x;
        low = std::min(low, x);
        high = std::max(high, x);
      }
      means += " " + number(sum / static_cast<double>(setting.seeds.size()));
      lows += " " + number(low);
      highs += " " + number(high);
    }
    out += std::to_string(step) + means + lows + highs + "\n";
    any = true;
  }
  // A block must hold a line, for blocks are found by their number.
  if (!any) {
    out += "NaN";
    for (std::size_t i = 0; i < 3 * metrics::shown_strategy_metrics().size(); ++i) out += " NaN";
    out += "\n";
  }
  return out + "\n\n";
}

std::string seed_data(const std::map<std::int64_t, ValidationRow>& rows) {
  std::string out = "# step" + score_names("") + "\n";
  for (const auto& [step, row] : rows) {
    out += std::to_string(step);
    for (const auto* m : metrics::shown_strategy_metrics())
      out += " " + number(shown_score(*m, row));
    out += "\n";
  }
  return out + "\n\n";
}

// Bands, then single seeds, then the means, which lie on top.
std::vector<std::string> overlay_parts(const std::vector<Setting>& settings, std::size_t metric) {
  const std::size_t metrics = metrics::shown_strategy_metrics().size();
  const std::string mean = std::to_string(2 + metric);
  const std::string low = std::to_string(2 + metrics + metric);
  const std::string high = std::to_string(2 + 2 * metrics + metric);
  std::vector<std::string> bands, seeds, means;
  std::size_t block = 0;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const std::string color = " " + line_color(i);
    const std::string data = "data index " + std::to_string(block++) + " using 1:";
    if (settings[i].seeds.size() > 1) {
      bands.push_back(data + low + ":" + high + " with filledcurves" + color + " notitle");
      for (std::size_t s = 0; s < settings[i].seeds.size(); ++s) {
        seeds.push_back("data index " + std::to_string(block++) + " using 1:" + mean +
                        " with lines linewidth 0.5" + color + " notitle");
      }
    } else {
      ++block;
    }
    means.push_back(data + mean + " with lines" + line_of(i) + " title " +
                    gnuplot_quote(settings[i].name));
  }
  bands.insert(bands.end(), seeds.begin(), seeds.end());
  bands.insert(bands.end(), means.begin(), means.end());
  return bands;
}

Figure overlay(const results::Experiment& experiment, const std::string& split,
               std::vector<Setting> settings) {
  Figure f;
  f.id = slug("validation-" + experiment.name + "-" + split);
  f.title = one_line(experiment.name + ", " + split + ": scores during training");
  f.shows = {"validation"};
  const std::size_t left_out = settings.size() > kMostLines ? settings.size() - kMostLines : 0;
  settings.resize(settings.size() - left_out);
  std::size_t least = SIZE_MAX, most = 0;
  for (const Setting& s : settings) {
    f.data += spread_data(s);
    for (const auto& seed : s.seeds) f.data += seed_data(seed);
    least = std::min(least, s.seeds.size());
    most = std::max(most, s.seeds.size());
  }
  f.caption = "Scores on " + split + " during the training of " + experiment.name + ". ";
  if (most == 1) {
    f.caption += "Each line is one run (one seed).";
  } else {
    f.caption += "Each line is the mean of " +
                 (least == most ? "" : std::to_string(least) + " to ") + std::to_string(most) +
                 " seeds, as far as all of them have come; the band reaches from the least to the "
                 "most of them, thin lines are single seeds.";
  }
  if (left_out > 0) f.caption += " " + std::to_string(left_out) + " settings are not drawn.";
  f.script = score_panels(f, settings.size() > 1,
                          [&](std::size_t m) { return overlay_parts(settings, m); });
  return f;
}

}  // namespace

std::vector<Figure> validation_figures(const results::Run& run) {
  const auto splits = splits_during_training({&run});
  if (splits.empty()) return {};
  Figure f = start_figure(run, "validation", "", "scores during training");
  f.caption = "Scores during the training of " + run.name() + " (" + seed_words(run) + ")";
  for (const auto& split : splits) {
    f.data += "# split " + one_line(split) + "\n# step" + score_names("") + " best\n";
    const auto rows = by_step(run, split);
    for (const auto& [step, row] : rows) {
      f.data += std::to_string(step);
      for (const auto* m : metrics::shown_strategy_metrics()) {
        f.data += " " + number(shown_score(*m, row));
      }
      f.data += std::string(" ") + (row.best ? "1" : "0") + "\n";
    }
    f.data += "\n\n";
    f.caption += (&split == &splits.front() ? ": " : ", ") + split + " at " +
                 std::to_string(rows.size()) +
                 " steps (n = " + std::to_string(rows.rbegin()->second.decisions) + " decisions)";
  }
  f.caption += ". Rings: no evaluation of the stage before was better (best.metric).";
  const std::string best = std::to_string(2 + metrics::shown_strategy_metrics().size());
  f.script = score_panels(f, splits.size() > 1, [&](std::size_t m) {
    std::vector<std::string> parts;
    const std::string column = std::to_string(2 + m);
    for (std::size_t i = 0; i < splits.size(); ++i) {
      const std::string data = "data index " + std::to_string(i) + " using 1:";
      parts.push_back(data + column + " with linespoints pointtype 7 pointsize 0.4" + line_of(i) +
                      " title " + gnuplot_quote(splits[i]));
      parts.push_back(data + "($" + best + " > 0 ? $" + column +
                      " : 1/0) with points pointtype 6 pointsize 1.3 " + line_color(i) +
                      " notitle");
    }
    return parts;
  });
  return {f};
}

std::vector<Figure> validation_overlays(const results::Results& results) {
  std::vector<Figure> out;
  for (const auto& experiment : results.experiments) {
    std::vector<const results::Run*> runs;
    for (const results::Run& run : experiment.runs) {
      if (!run.validations.empty()) runs.push_back(&run);
    }
    if (runs.size() < 2) continue;
    for (const auto& split : splits_during_training(runs)) {
      out.push_back(overlay(experiment, split, settings_of(experiment, split)));
    }
  }
  return out;
}

}  // namespace straq::report
